module goinst.demo/calculator

go 1.18

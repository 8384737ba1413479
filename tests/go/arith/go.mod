module goinst.test/arith

go 1.16

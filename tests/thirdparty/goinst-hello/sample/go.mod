module goinst.test/hello

go 1.16

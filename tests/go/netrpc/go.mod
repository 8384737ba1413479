module goinst.test/netrpc

go 1.16

module goinst.test/fetch

go 1.16

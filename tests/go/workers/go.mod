module goinst.test/workers

go 1.17

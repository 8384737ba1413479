module goinst.test/jsonpost

go 1.16

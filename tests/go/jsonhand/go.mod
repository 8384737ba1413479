module goinst.test/jsonhand

go 1.16

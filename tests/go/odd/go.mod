module goinst.test/odd

go 1.16

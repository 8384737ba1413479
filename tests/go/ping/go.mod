module goinst.test/ping

go 1.16

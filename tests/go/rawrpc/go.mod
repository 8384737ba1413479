module goinst.test/rawrpc

go 1.16

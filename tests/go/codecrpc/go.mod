module goinst.test/codecrpc

go 1.16

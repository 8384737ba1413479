module goinst.test/idle

go 1.16

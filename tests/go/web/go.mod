module example.test/web

go 1.16

module idle

go 1.16

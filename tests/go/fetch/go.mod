module fetch

go 1.16

module torture

go 1.16

module example.com/variables

go 1.16

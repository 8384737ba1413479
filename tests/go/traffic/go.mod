module traffic

go 1.16

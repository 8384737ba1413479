module routers

go 1.16

require (
	github.com/gin-gonic/gin v1.7.7
	github.com/go-chi/chi/v5 v5.0.7
	github.com/gorilla/mux v1.8.0
	github.com/labstack/echo/v4 v4.6.3
)

//go:build echo5

package main

import (
	"net/http"

	"github.com/labstack/echo/v5"
)

func init() {
	router := echo.New()
	router.GET("/echo5/users/:id/*", func(c *echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })
	router.GET("/echo5/panics/:id", func(c *echo.Context) error { panic(http.ErrAbortHandler) })
	routers["echo5"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		router.ServeHTTP(w, r.WithContext(r.Context())) // a copy: echo leaves the template in its Pattern, too
	})
}

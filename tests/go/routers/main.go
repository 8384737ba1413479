// Command routers serves the same routes by four routers: /gin, /echo, /chi and /gorilla. It prints
// "listening ADDRESS" first. Built with the tag echo5, which wants Go 1.25, there is a fifth, /echo5.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v4"
)

var routers = map[string]http.Handler{}

// A handler that stays behind its time limit: that it has been told, and that it may go.
var left, free = make(chan struct{}), make(chan struct{})

func main() {
	gin.SetMode(gin.ReleaseMode)
	byGin := gin.New()
	byGin.Use(func(c *gin.Context) { c.Next() })
	byGin.GET("/gin/users/:id/*rest", func(c *gin.Context) { c.String(http.StatusOK, c.Param("id")) })

	byEcho := echo.New()
	byEcho.GET("/echo/users/:id/*", func(c echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })

	byChi := chi.NewRouter()
	byChi.Route("/chi/users", func(r chi.Router) {
		r.Get("/{id}/*", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, chi.URLParam(r, "id")) })
	})

	byGorilla := mux.NewRouter()
	byGorilla.HandleFunc("/gorilla/users/{id:[0-9]+}/{rest:.*}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, mux.Vars(r)["id"])
	})

	// on a goroutine of their own, and below a prefix that is taken away
	late := chi.NewRouter()
	late.Get("/late/users/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, chi.URLParam(r, "id")) })
	late.Get("/late/slow/{id}", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(left)
		<-free
	})
	routers["late"] = http.TimeoutHandler(late, 200*time.Millisecond, "too late")
	mounted := chi.NewRouter()
	mounted.Get("/articles/{slug}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "7") })
	routers["mounted"] = http.StripPrefix("/mounted/v1", mounted)

	routers["gin"], routers["echo"], routers["chi"], routers["gorilla"] = byGin, byEcho, byChi, byGorilla
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/free" {
			<-left
			close(free)
			time.Sleep(100 * time.Millisecond) // its route would come meanwhile
			return
		}
		if router := routers[strings.Split(r.URL.Path, "/")[1]]; router != nil {
			router.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})))
}

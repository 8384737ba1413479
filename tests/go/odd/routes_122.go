//go:build go1.22
// +build go1.22

// A module that says "go 1.16" would get the old ServeMux.
//go:debug httpmuxgo121=0

package main

import (
	"io"
	"net/http"
)

// routes registers patterns as ServeMux knows them since Go 1.22; the request carries the one that matched since 1.23.
func routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /users/{id}/orders/{order}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.PathValue("id")+" "+r.PathValue("order"))
	})
	mux.HandleFunc("POST /users/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
	})
}

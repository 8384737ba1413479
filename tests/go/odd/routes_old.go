//go:build !go1.22
// +build !go1.22

package main

import "net/http"

// routes registers the same paths in the only way there was before Go 1.22: by prefix.
func routes(mux *http.ServeMux) {
	mux.HandleFunc("/users/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
	})
}

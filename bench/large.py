"""Writes a Go program of about 60 MB: a net/http server among 40,000 functions, 24,000 types and 36 MB of text.

It calls main.step a thousand times a second; GET /work calls it for half a second and answers "CALLS NANOSECONDS".

The functions and types are reachable by reflection, so that the linker keeps them with their metadata, as it does in
programs that link a cloud vendor's SDK or a Kubernetes client.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_large_program"]

_PACKAGES = 40
_TYPES = 300  # a package
_TEXT = 900_000  # bytes a package: descriptors, templates, embedded files

_TYPE = """
type T{n} struct {{
	ID   int64             `json:"id{n}"`
	Name string            `json:"name{n}"`
	Tags map[string]string `json:"tags{n}"`
	Next *T{n}             `json:"next{n}"`
	More []T{n}            `json:"more{n}"`
}}

func (t *T{n}) String() string {{ return fmt.Sprintf("T{n} %d %s %v", t.ID, t.Name, t.Tags) }}

func (t *T{n}) Merge(other *T{n}) error {{
	if other == nil {{
		return errors.New("nothing to merge into T{n}")
	}}
	for name, value := range other.Tags {{
		if t.Tags == nil {{
			t.Tags = map[string]string{{}}
		}}
		t.Tags[name] = value
	}}
	t.More = append(t.More, other.More...)
	return nil
}}

func (t *T{n}) Validate() (int, error) {{
	switch {{
	case t.ID < {n}:
		return {n}, fmt.Errorf("T{n}: %d is below %d", t.ID, {n})
	case len(t.Name) > {n}:
		return len(t.Name), fmt.Errorf("T{n}: name %q is too long", t.Name)
	}}
	return int(t.ID), nil
}}
"""
_MAIN = """package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

{imports}
)

type item struct {{
	Name  string
	Count int
}}

//go:noinline
func step(it *item, n int) int {{
	var buffer [256]byte
	copy(buffer[:], it.Name)
	return it.Count + int(buffer[n&3])
}}

var sum int

func work(w http.ResponseWriter, _ *http.Request) {{
	it, began, calls := &item{{"bench", 1}}, time.Now(), 0
	for time.Since(began) < 500*time.Millisecond {{
		for n := 0; n < 16; n++ {{
			sum += step(it, n)
		}}
		calls += 16
	}}
	fmt.Fprintln(w, calls, time.Since(began).Nanoseconds())
}}

func main() {{
	go func() {{
		for it := (&item{{"tick", 0}}); ; time.Sleep(time.Millisecond) {{
			step(it, 0)
		}}
	}}()
	http.HandleFunc("/work", work)
	kinds := []interface{{}}{{}}
{appends}
	http.HandleFunc("/kinds", func(w http.ResponseWriter, _ *http.Request) {{
		for _, kind := range kinds {{
			fmt.Fprintln(w, kind)
		}}
	}})
	http.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) {{ _, _ = w.Write([]byte("pong\\n")) }})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {{
		log.Fatal(err)
	}}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}}
"""


def write_large_program(folder: Path) -> Path:
    """Write the module into ``folder`` (made if missing) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module goinst.bench/large\n\ngo 1.16\n")
    names = [f"p{number}" for number in range(_PACKAGES)]
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        types = "".join(_TYPE.format(n=number) for number in range(_TYPES))
        kinds = "".join(f"\t\t&T{number}{{}},\n" for number in range(_TYPES))
        (folder / name / "types.go").write_text(
            f'package {name}\n\nimport (\n\t"errors"\n\t"fmt"\n)\n{types}\n'
            f'// Text is data.\nvar Text = "{(name + " ") * (_TEXT // (len(name) + 1))}"\n\n'
            f"func Kinds() []interface{{}} {{\n\treturn []interface{{}}{{\n{kinds}\t}}\n}}\n"
        )
    imports = "\n".join(f'\t"goinst.bench/large/{name}"' for name in names)
    appends = "\n".join(f"\tkinds = append(append(kinds, {name}.Kinds()...), len({name}.Text))" for name in names)
    (folder / "main.go").write_text(_MAIN.format(imports=imports, appends=appends))
    return folder

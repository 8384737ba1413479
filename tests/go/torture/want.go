package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	longText = 128 // bytes of a text by itself
	text     = 64  // bytes of a text inside another value
	items    = 8
)

// want is a value as goinst writes it as JSON, when pointers inside it are followed depth times.
func want(v interface{}, depth int) interface{} {
	return shown(reflect.ValueOf(v), depth, true)
}

func shown(v reflect.Value, depth int, root bool) interface{} {
	if !v.IsValid() {
		return nil
	}
	switch v.Type() {
	case reflect.TypeOf(time.Duration(0)):
		return time.Duration(v.Int()).String()
	case reflect.TypeOf(time.Time{}):
		return v.Interface().(time.Time).UTC().Format(time.RFC3339Nano)
	}
	inside := depth
	if !root {
		inside--
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		return float(v.Float())
	case reflect.Complex64, reflect.Complex128:
		return fmt.Sprint(v.Complex())
	case reflect.String:
		return cut(v.String(), root)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return binary(v.Bytes(), root)
		}
		if v.IsNil() {
			return nil
		}
		if inside < 0 {
			return fmt.Sprintf("<%s of %d>", typeName(v.Type()), v.Len())
		}
		return elements(v, min(v.Len(), items), inside)
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			data := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(data), v)
			return hex.EncodeToString(data)
		}
		return elements(v, min(v.Len(), items), depth)
	case reflect.Struct:
		fields := values{}
		for i := 0; i < v.NumField(); i++ {
			fields[v.Type().Field(i).Name] = shown(v.Field(i), depth, false)
		}
		return fields
	case reflect.Ptr:
		if v.IsNil() {
			return nil
		}
		if inside < 0 || v.Type().Elem().Size() == 0 {
			return fmt.Sprintf("%#x", v.Pointer())
		}
		return shown(v.Elem(), inside, false)
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		if inside < 0 {
			return fmt.Sprintf("<%s of %d>", typeName(v.Type()), v.Len())
		}
		entries := values{}
		for _, key := range v.MapKeys() {
			name, ok := shown(key, 0, false).(string)
			if !ok {
				name = fmt.Sprintf("%+v", key)
			}
			entries[name] = shown(v.MapIndex(key), inside, false)
		}
		return entries
	case reflect.Chan:
		if v.IsNil() {
			return nil
		}
		return values{"len": v.Len(), "cap": v.Cap()}
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if err, ok := v.Interface().(error); ok && inside >= -1 {
			return errorWant(err)
		}
		if depth < 1 && !root {
			return fmt.Sprintf("<%s>", typeName(v.Type()))
		}
		return dynamic(v.Elem())
	}
	return "?"
}

// dynamic is what is known of a value by its type in an interface: no more than a word, or a text.
func dynamic(v reflect.Value) interface{} {
	if !v.IsValid() {
		return nil
	}
	name := typeName(v.Type())
	switch v.Kind() {
	case reflect.Slice:
		return fmt.Sprintf("<%s of %d>", name, v.Len())
	case reflect.String:
		return cutAt(v.String(), text)
	case reflect.Ptr, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return fmt.Sprintf("<%s %#x>", name, v.Pointer())
	case reflect.Struct, reflect.Array:
		return fmt.Sprintf("<%s>", name)
	case reflect.Complex128:
		return fmt.Sprintf("<%s>", name)
	}
	return shown(v, 0, true)
}

func elements(v reflect.Value, count, depth int) []interface{} {
	list := []interface{}{}
	for i := 0; i < count; i++ {
		list = append(list, shown(v.Index(i), depth, false))
	}
	return list
}

func float(f float64) interface{} {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "+Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	}
	return f
}

func cut(s string, root bool) string {
	if root {
		return cutAt(s, longText)
	}
	return cutAt(s, text)
}

// cutAt keeps the runes that are whole within so many bytes; bytes that are no UTF-8 are written as \xff.
func cutAt(s string, most int) string {
	if len(s) > most {
		s = s[:most]
		for back := 1; back < utf8.UTFMax && back < len(s); back++ {
			if first := s[len(s)-back]; utf8.RuneStart(first) {
				if !utf8.FullRuneInString(s[len(s)-back:]) {
					s = s[:len(s)-back]
				}
				break
			}
		}
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, "\\x%02x", s[i])
		} else {
			out.WriteString(s[i : i+size])
		}
		i += size
	}
	return out.String()
}

func binary(b []byte, root bool) interface{} {
	most := longText
	if !root {
		most = text
	}
	if len(b) > most {
		b = b[:most]
	}
	for _, r := range string(b) {
		if r == utf8.RuneError || !unicode.IsPrint(r) && !strings.ContainsRune("\r\n\t", r) {
			return hex.EncodeToString(b)
		}
	}
	return string(b)
}

// typeName is a type's full name, as linkers know it.
func typeName(t reflect.Type) string {
	switch {
	case t.Name() != "" && t.PkgPath() != "":
		return t.PkgPath() + "." + t.Name()
	case t.Name() != "":
		return t.Name()
	case t.Kind() == reflect.Ptr:
		return "*" + typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + typeName(t.Elem())
	case t.Kind() == reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), typeName(t.Elem()))
	case t.Kind() == reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	}
	return t.String()
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

package vaulttest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// shape is how the value of a field is read and answered.
type shape int

const (
	text    shape = iota
	truth         // a boolean
	count         // a whole number
	seconds       // a duration, as "15m" or 900
	list          // of texts
	commas        // of texts, also as one text with commas between
	mapping       // anything by name
)

// field is a parameter of an object, with what it is when it was never given.
type field struct {
	name  string
	shape shape
	zero  any
}

// merge writes what a body has of the fields over what an object has: what a body leaves out stays, and
// what no field is for is ignored, as Vault does.
func merge(object map[string]any, fields []field, body map[string]any) (err error) {
	for _, f := range fields {
		v, given := body[f.name]
		if !given {
			if _, has := object[f.name]; !has {
				object[f.name] = f.zero
			}
			continue
		}
		if object[f.name], err = f.read(v); err != nil {
			return fmt.Errorf("error converting input for field %q: %w", f.name, err)
		}
	}
	return nil
}

func (f field) read(v any) (any, error) {
	switch f.shape {
	case truth:
		switch v := v.(type) {
		case bool:
			return v, nil
		case string:
			return strconv.ParseBool(v)
		}
	case count:
		return number(v), nil
	case seconds:
		return duration(v)
	case list, commas:
		return texts(v, f.shape == commas)
	case mapping:
		if m, isMap := v.(map[string]any); isMap || v == nil {
			return m, nil
		}
	default:
		switch v := v.(type) {
		case string:
			return v, nil
		case json.Number:
			return v.String(), nil
		}
	}
	return nil, fmt.Errorf("unexpected type %T", v)
}

// texts reads a list.
func texts(v any, split bool) ([]string, error) {
	out := []string{}
	switch v := v.(type) {
	case nil:
	case string:
		if !split {
			return []string{v}, nil
		}
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	case []any:
		for _, item := range v {
			out = append(out, fmt.Sprint(item))
		}
	default:
		return nil, fmt.Errorf("unexpected type %T", v)
	}
	return out, nil
}

// duration reads one as Vault does (go-secure-stdlib/parseutil), in seconds.
func duration(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case json.Number:
		return v.Int64()
	case string:
		if v == "" {
			return 0, nil
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, nil
		}
		if days, isDays := strings.CutSuffix(v, "d"); isDays {
			n, err := strconv.ParseInt(days, 10, 64)
			return n * 86400, err
		}
		d, err := time.ParseDuration(v)
		return int64(d.Seconds()), err
	}
	return 0, fmt.Errorf("could not parse duration from input")
}

// number reads a whole number; what is none is 0.
func number(v any) int {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return int(n)
	case string:
		n, _ := strconv.Atoi(v)
		return n
	case int:
		return v
	}
	return 0
}

package vaultprov

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// KV is a [lab.Sink], and a [lab.Replacer]: a path in a mount of KV version 2. A secret named "erp/backup#access_key"
// is the value under access_key in the entry erp/backup; one without a #, under "value". All writes are by
// check-and-set, so that of two runs one wins, and what an entry has under other names stays.
//
// Bytes that are no text are kept in base64, under the name with "_base64" at its end.
type KV struct {
	Server *Server
	Mount  string // of KV version 2: "kvv2"
	Path   string // below which the names are; empty: the mount itself
}

var _ lab.Replacer = KV{}

// String returns the address, the mount and the path.
func (k KV) String() string {
	return strings.Trim(k.Server.target()+"/"+k.Mount+"/"+k.Path, "/")
}

// valueKey is the name of the value of a secret that names none.
const valueKey = "value"

// entry is an entry of KV version 2.
type entry struct {
	Data     map[string]json.RawMessage `json:"data"` // nil: there is none, or its last version was deleted
	Metadata struct {
		Version int `json:"version"` // 0: there was never one
	} `json:"metadata"`
}

func (k KV) fail(op, name, hint string, err error) error {
	return &lab.Error{Op: op, Target: k.String(), Path: name, Hint: hint, Err: err}
}

// split returns the path of the entry in the mount, and the name of the value in it.
func (k KV) split(op, name string) (path, key string, err error) {
	path, key, named := strings.Cut(name, "#")
	if !named {
		key = valueKey
	}
	full := strings.Trim(k.Path+"/"+path, "/")
	bad := path == "" || key == "" || k.Mount == "" || strings.ContainsFunc(name,
		func(r rune) bool { return r < ' ' || r == 0x7f })
	for part := range strings.SplitSeq(full, "/") {
		bad = bad || part == "" || part == "." || part == ".."
	}
	if bad {
		return "", "", k.fail(op, name, "write PATH or PATH#KEY, and name a mount",
			fmt.Errorf("%w: not a name for a secret", lab.ErrInvalid))
	}
	return full, key, nil
}

// with calls f with a client of a server that is active.
func (k KV) with(ctx context.Context, op string, f func(*client) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	c, err := k.Server.client()
	if err != nil {
		return err
	}
	defer c.close()
	if k.Server.Cluster != "" && op != "get secret" {
		if _, err := c.prove(ctx, ""); err != nil {
			return err
		}
	}
	return f(c)
}

// entry reads an entry. One that is not there is no error.
func (k KV) entry(ctx context.Context, c *client, path string) (entry, error) {
	var e entry
	a, err := c.do(ctx, http.MethodGet, k.Mount+"/data/"+path, nil)
	if said, answered := serverError(err); answered && errors.Is(err, lab.ErrNotFound) && len(said.Messages) == 0 {
		if len(said.warnings) > 0 { // it is a path of KV version 1
			return e, k.fail("read entry", path, "name a mount of KV version 2",
				fmt.Errorf("%w: %s", lab.ErrInvalid, said.warnings[0]))
		}
		if said.data != nil && json.Unmarshal(said.data, &e) != nil {
			return e, c.garbled(path)
		}
		return e, nil
	}
	if err == nil {
		err = c.decode(a, path, &e)
	}
	return e, err
}

// value returns a value of an entry.
func (k KV) value(e entry, name, key string) (lab.Secret, error) {
	read := func(key string) (text string, has bool, err error) {
		raw, has := e.Data[key]
		if !has {
			return "", false, nil
		}
		if json.Unmarshal(raw, &text) != nil || text == "" {
			err = k.fail("get secret", name, "look at the entry",
				fmt.Errorf("%w: %s is not a text", lab.ErrConflict, key))
		}
		return text, true, err
	}
	text, has, err := read(key)
	if has || err != nil {
		return lab.NewSecret(text), err
	}
	if text, has, err = read(key + "_base64"); err != nil || !has {
		return lab.Secret{}, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return lab.Secret{}, k.fail("get secret", name, "look at the entry",
			fmt.Errorf("%w: it is not base64", lab.ErrConflict))
	}
	return lab.NewSecret(string(b)), nil
}

// Get reads the secret.
func (k KV) Get(ctx context.Context, name string) (s lab.Secret, err error) {
	path, key, err := k.split("get secret", name)
	if err != nil {
		return lab.Secret{}, err
	}
	err = k.with(ctx, "get secret", func(c *client) error {
		e, err := k.entry(ctx, c, path)
		if err != nil {
			return err
		}
		if s, err = k.value(e, name, key); err == nil && s.IsZero() {
			err = k.fail("get secret", name, "", lab.ErrNotFound)
		}
		return err
	})
	return s, err
}

// Put writes the secret where the entry has no such value.
func (k KV) Put(ctx context.Context, name string, s lab.Secret) error {
	const op = "put secret"
	return k.change(ctx, op, name, s, func(have lab.Secret) error {
		if !have.IsZero() {
			return k.fail(op, name, "", fmt.Errorf("%w: another secret of this name is there", lab.ErrConflict))
		}
		return nil
	})
}

// Replace writes s in the place of old.
func (k KV) Replace(ctx context.Context, name string, old, s lab.Secret) error {
	const op = "replace secret"
	return k.change(ctx, op, name, s, func(have lab.Secret) error {
		switch {
		case have.IsZero():
			return k.fail(op, name, "put it", lab.ErrNotFound)
		case !have.Equal(old):
			return k.fail(op, name, "plan again", fmt.Errorf("%w: another secret of this name is there",
				lab.ErrConflict))
		}
		return nil
	})
}

// change writes a value into an entry, if may allows it in the place of what is there, which is empty if nothing is. It
// looks again when somebody else has changed the entry meanwhile, and when the answer was lost.
func (k KV) change(ctx context.Context, op, name string, s lab.Secret, may func(have lab.Secret) error) error {
	path, key, err := k.split(op, name)
	if err == nil && s.IsZero() {
		err = k.fail(op, name, "", fmt.Errorf("%w: it is empty", lab.ErrInvalid))
	}
	if err != nil {
		return err
	}
	return k.with(ctx, op, func(c *client) error {
		for {
			e, err := k.entry(ctx, c, path)
			if err != nil {
				return err
			}
			have, err := k.value(e, name, key)
			if err != nil {
				return err
			}
			if have.Equal(s) {
				return nil
			}
			if err := may(have); err != nil {
				return err
			}
			data := fields{}
			for other, value := range e.Data {
				if other != key && other != key+"_base64" {
					data[other] = value
				}
			}
			data[key] = s
			if !utf8.ValidString(s.Reveal()) {
				delete(data, key)
				data[key+"_base64"] = lab.NewSecret(base64.StdEncoding.EncodeToString([]byte(s.Reveal())))
			}
			err = c.write(ctx, k.Mount+"/data/"+path, fields{"data": data,
				"options": fields{"cas": e.Metadata.Version}}, nil)
			if said, answered := serverError(err); !answered || !said.said("did not match the current version") {
				return err
			}
		}
	})
}

// proof is the name of the entry by which a path proves that it can be written to.
const proof = "lab-proof"

// never is a version that no entry has: what is written with it is checked and refused.
const never = math.MaxInt32

// Prove writes an entry and removes it, with all of its versions. Where the token may not remove entries for good, as
// those of CI may not, it sends a write that Vault checks, allows, and does not make.
func (k KV) Prove(ctx context.Context) error {
	const op = "prove that secrets can be kept"
	path, _, err := k.split(op, proof)
	if err != nil {
		return err
	}
	return k.with(ctx, op, func(c *client) error {
		remove := func() error { return c.delete(ctx, k.Mount+"/metadata/"+path) }
		write := func(version int) error {
			in := fields{"data": fields{"proof": "this entry can be removed"}, "options": fields{"cas": version}}
			err := c.write(ctx, k.Mount+"/data/"+path, in, nil)
			if said, answered := serverError(err); answered && said.said("did not match the current version") {
				return nil // it was checked; or others prove it now
			}
			return err
		}
		err := remove() // what a run that was cut off has left
		if errors.Is(err, lab.ErrUnauthorized) {
			return write(never)
		}
		if err == nil {
			err = write(0)
		}
		if err == nil {
			err = remove()
		}
		return err
	})
}

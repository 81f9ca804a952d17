package vaultprov

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// Entry is an entry of a KV engine. Keys of it that are not named belong to others and stay as they are, and it is
// never removed.
type Entry struct {
	Mount   string `yaml:"mount"`         // of the engine; empty means "kvv2"
	Path    string `yaml:"path,required"` // in the engine: "erp/config"
	Version int    `yaml:"version"`       // of the engine, 1 or 2; 0 means 2. Only version 2 tells when somebody else writes too

	// Data are the keys that are kept here. A value is a secret until the contrary is known. It is required.
	Data     map[string]lab.Secret    `yaml:"-"`
	DataRefs map[string]lab.SecretRef `yaml:"data"` // references to their values, see [Spec.Resolve]
}

func (e Entry) mount() string { return mountOr(e.Mount, DefaultKV) }
func (e Entry) key() string   { return e.mount() + "/" + strings.Trim(e.Path, "/") }

// data is the path at which the entry is read and written.
func (e Entry) data() string {
	if e.Version == 1 {
		return e.key()
	}
	return e.mount() + "/data/" + strings.Trim(e.Path, "/")
}

func (e Entry) validate() (ps lab.Problems) {
	path := strings.Trim(e.Path, "/")
	switch {
	case path == "":
		ps.Add("path", "empty: name the entry")
	case strings.ContainsAny(path, "?#%*+ ") || strings.Contains("/"+path+"/", "//") ||
		strings.Contains("/"+path+"/", "/../") || strings.Contains("/"+path+"/", "/./"):
		ps = append(ps, lab.Problem{Path: "path", Text: e.Path, Message: "is not a path of an entry"})
	}
	if e.Version < 0 || e.Version > 2 {
		ps.Add("version", "%d is neither 1 nor 2", e.Version)
	}
	if len(e.Data) == 0 {
		ps.Add("data", "empty: name the keys that are to be kept")
	}
	for key, v := range e.Data {
		if v.IsZero() {
			ps.Add("data."+key, "empty: a value that is missing would replace one that is there")
		} else if !utf8.ValidString(v.Reveal()) {
			ps.Add("data."+key, "is not UTF-8, and could not be read back as it is: write it in base64")
		}
	}
	return ps
}

// stored is an entry as it was found.
type stored struct {
	data    map[string]json.RawMessage // secrets, ours and others'
	version int                        // of a KV version 2 engine
}

// entries are the entries of KV engines.
func (p *planner) entries() reconcile.Collection[Entry, stored] {
	c := reconcile.Collection[Entry, stored]{Name: "entry", Want: map[string]Entry{},
		List: p.readEntries, Diff: diffEntry, Put: p.putEntry,
		After: func(_ string, e Entry) []string { return []string{"mount:" + e.mount()} }}
	for _, e := range p.spec.Entries {
		c.Want[e.key()] = e
	}
	return c
}

// readEntries reads the entries that are wanted.
func (p *planner) readEntries(ctx context.Context) (map[string]stored, error) {
	found := map[string]stored{}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.client.server.parallel())
	for _, e := range p.spec.Entries {
		g.Go(func() error {
			s, err := p.readEntry(ctx, e)
			if errors.Is(err, lab.ErrNotFound) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			found[e.key()] = s
			return err
		})
	}
	return found, g.Wait()
}

func (p *planner) readEntry(ctx context.Context, e Entry) (s stored, err error) {
	if e.Version == 1 {
		return s, p.client.read(ctx, e.data(), &s.data)
	}
	var answer struct {
		Data     map[string]json.RawMessage `json:"data"`
		Metadata struct {
			Version int `json:"version"`
		} `json:"metadata"`
	}
	err = p.client.read(ctx, e.data(), &answer)
	return stored{answer.Data, answer.Metadata.Version}, err
}

// diffEntry compares the keys that are kept here.
func diffEntry(key string, e Entry, h *stored) reconcile.Delta {
	before, after := "", ""
	cause := "not found"
	for _, k := range slices.Sorted(maps.Keys(e.Data)) {
		value := "(secret)"
		if h != nil {
			raw, there := h.data[k]
			var has string
			if there && json.Unmarshal(raw, &has) == nil && e.Data[k].Equal(lab.NewSecret(has)) {
				continue
			}
			if cause = "values differ"; there {
				before += k + ": (secret)\n"
				value = "(another secret)"
			}
		}
		after += k + ": " + value + "\n"
	}
	if after == "" {
		return reconcile.Delta{}
	}
	d := reconcile.Delta{Action: lab.Update, Cause: cause, Diff: lab.Diff(key, []byte(before), []byte(after))}
	if h == nil {
		d.Action = lab.Create
	}
	return d
}

// putEntry writes the keys that are kept here, and those of others as they are, if nobody else has written
// meanwhile. An engine of version 1 cannot tell.
func (p *planner) putEntry(ctx context.Context, _ string, e Entry, h *stored) error {
	ctx, done := p.finishing(ctx, false)
	defer done()
	data := fields{}
	version := 0
	if h != nil {
		version = h.version
		for k, raw := range h.data {
			data[k] = raw
		}
	} else if e.Version != 1 {
		// An entry whose last version was deleted is not found, and yet has versions.
		var meta struct {
			Current int `json:"current_version"`
		}
		err := p.client.read(ctx, e.mount()+"/metadata/"+strings.Trim(e.Path, "/"), &meta)
		if err != nil && !errors.Is(err, lab.ErrNotFound) {
			return err
		}
		version = meta.Current
	}
	for k, v := range e.Data {
		data[k] = v
	}
	if e.Version == 1 {
		return p.client.write(ctx, e.data(), data, nil)
	}
	err := p.client.write(ctx, e.data(), fields{"data": data, "options": fields{"cas": version}}, nil)
	if errors.Is(err, lab.ErrConflict) {
		if again, e2 := p.readEntry(ctx, e); e2 == nil && diffEntry("", e, &again).Action == "" {
			return nil // another run has written the same meanwhile
		}
	}
	return err
}

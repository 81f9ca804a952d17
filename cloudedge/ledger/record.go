package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// schema is the version of the record. One that is newer is refused: what is in it is not known.
const schema = 1

// Ownership says why an object is in the record.
type Ownership string

// What there is.
const (
	Managed Ownership = "managed" // we have created it, and remove it when it is no longer wanted
	Adopted Ownership = "adopted" // it was there, and is changed as it is wanted; it is never removed
)

// Entry is an object in the record. It has no secret.
type Entry struct {
	ID          string    `json:"id"` // of its changes: "ovh/record:arcodange.fr/CNAME/www"
	Ownership   Ownership `json:"ownership"`
	Applied     time.Time `json:"last_applied"`          // when it was last changed
	By          string    `json:"by"`                    // the holder of the lock who did
	Fingerprint string    `json:"fingerprint,omitempty"` // of its secret value, see [Book.Same]
}

// intent is what a step was about to do.
type intent struct {
	ID      string     `json:"id"`
	Action  lab.Action `json:"op"`
	Run     string     `json:"run"` // that was about to
	Started time.Time  `json:"started"`
}

// record is the object that is kept.
type record struct {
	Schema    int      `json:"schema"`
	App       string   `json:"app"`
	Env       string   `json:"env"`
	Serial    int64    `json:"serial"`
	Nonce     string   `json:"nonce"` // another for each write: by it a writer knows its own
	Writer    string   `json:"writer"`
	Resources []Entry  `json:"resources"`
	Intents   []intent `json:"intents,omitempty"`
}

func (l *Ledger) newRecord() record {
	return record{Schema: schema, App: string(l.Instance.App), Env: environment(l.Instance)}
}

func environment(i lab.Instance) string {
	if i.Env == "" {
		return lab.Prod
	}
	return i.Env
}

// parse reads a record strictly: a field that is not known here was written by a newer version, and would be lost.
func (l *Ledger) parse(text []byte) (r record, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&r)
	switch {
	case r.Schema > schema:
		return r, fmt.Errorf("%w: its schema is %d: it was written by a newer version", lab.ErrRefused, r.Schema)
	case err != nil || d.More():
		return r, fmt.Errorf("%w: it is no record", lab.ErrConflict) // the text of the error may hold what is in it
	case r.Schema != schema:
		return r, fmt.Errorf("%w: its schema is %d", lab.ErrConflict, r.Schema)
	case r.App != string(l.Instance.App) || r.Env != environment(l.Instance):
		return r, fmt.Errorf("%w: it is that of %s in %s", lab.ErrRefused, lab.Printable(r.App), lab.Printable(r.Env))
	}
	for _, e := range r.Resources {
		if e.ID == "" || e.Ownership != Managed && e.Ownership != Adopted {
			return r, fmt.Errorf("%w: an entry in it says nothing that is known", lab.ErrConflict)
		}
	}
	return r, nil
}

func (r *record) text() []byte {
	slices.SortFunc(r.Resources, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(r.Intents, func(a, b intent) int { return strings.Compare(a.ID, b.ID) })
	if r.Resources == nil {
		r.Resources = []Entry{}
	}
	text, _ := json.MarshalIndent(r, "", "  ") // strings, numbers and times
	return append(text, '\n')
}

func (r *record) entry(id string) (int, bool) {
	n := slices.IndexFunc(r.Resources, func(e Entry) bool { return e.ID == id })
	return n, n >= 0
}

func (r *record) drop(id string) {
	r.Resources = slices.DeleteFunc(r.Resources, func(e Entry) bool { return e.ID == id })
}

// clone returns a record that shares nothing with this one.
func (r *record) clone() record {
	c := *r
	c.Resources, c.Intents = slices.Clone(r.Resources), slices.Clone(r.Intents)
	return c
}

// owns reports whether an object is ours: it was created by us, or a run was about to create it that was cut off.
func (r *record) owns(id string) bool {
	if n, ok := r.entry(id); ok {
		return r.Resources[n].Ownership == Managed
	}
	return slices.ContainsFunc(r.Intents, func(i intent) bool { return i.ID == id && i.Action == lab.Create })
}

// within reports whether an ID is of one of the plans, by their names.
func within(id string, plans map[string]bool) bool {
	name, _, _ := strings.Cut(id, "/")
	return plans[name]
}

// settle records what became of the changes that run was about to make. complete says that all of them were made, and
// wanted are the IDs of all that the plans want: then what is not among them is not there any more.
func (r *record) settle(run, by string, now time.Time, status func(id string) lab.Status, complete bool, wanted map[string]bool,
	plans map[string]bool) {
	var still []intent
	for _, i := range r.Intents {
		switch {
		case i.Run != run && complete && within(i.ID, plans):
			// An earlier run was cut off at it. What it made is as wanted, or was removed by now.
			if i.Action == lab.Create && wanted[i.ID] {
				r.made(i.ID, Managed, i.Started, by)
			}
		case i.Run != run:
			still = append(still, i)
		default:
			switch status(i.ID) {
			case lab.StatusDone:
				r.done(i, by, now)
			case lab.StatusSkipped, lab.StatusNotRun:
			case lab.StatusRolledBack:
			default: // something of it may be there
				still = append(still, i)
			}
		}
	}
	r.Intents = still
	if complete {
		r.Resources = slices.DeleteFunc(r.Resources, func(e Entry) bool { return within(e.ID, plans) && !wanted[e.ID] })
	}
}

func (r *record) done(i intent, by string, now time.Time) {
	switch i.Action {
	case lab.Delete:
		r.drop(i.ID)
	case lab.Create, lab.Replace:
		r.made(i.ID, Managed, now, by)
	case lab.Run: // it leaves nothing
	default:
		r.made(i.ID, Adopted, now, by)
	}
}

// made records an object. What is managed stays so.
func (r *record) made(id string, o Ownership, at time.Time, by string) {
	if n, ok := r.entry(id); ok {
		e := &r.Resources[n]
		e.Applied, e.By = at, by
		if o == Managed {
			e.Ownership = o
		}
		return
	}
	if r.owns(id) { // a run that was cut off was about to create it
		o = Managed
	}
	r.Resources = append(r.Resources, Entry{ID: id, Ownership: o, Applied: at, By: by})
}

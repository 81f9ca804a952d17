package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Stack is a compose project that a machine should run: a [host.Set] of its folder, its files and what Docker runs of them. It is made by
// [Load]; the fields may be changed afterwards.
//
// With After, as that of another resource, Docker itself may be among what comes first: the stack is then planned for an empty engine.
type Stack struct {
	host.Order

	Name  string // the project's name, which no other folder of the machine may use
	Dir   string // its folder on the machine
	Files []File

	// Format names the format of the stack's data and its version, "postgres 17". When it changes, a stack that does not get healthy is not
	// rolled back, since the former version might not read the data any more. Empty means that any version reads any other's.
	Format string

	// Timeout is how long each service may take to get healthy; 0 means 3 minutes.
	Timeout time.Duration

	// Before come before the stack: guards of its data, whose error stops the machine's plan, and folders that services expect.
	Before []host.Resource

	// Parts come after the services: what is set up in what runs. Their own After should name [Stack.Running], so that they are left alone when a
	// service did not get healthy.
	Parts []host.Resource

	doc      map[string]any // the compose.yaml, without our labels
	services []service      // each after those it depends on
	networks []network
	volumes  []volume
}

type service struct {
	name, image string   // the image as pinned
	platform    string   // of the image, when it is not the machine's
	mounted     []string // images whose files it mounts, as pinned
	replicas    int
	config      string // hash of the definition
	depends     map[string]types.ServiceDependency
	shares      []string // services whose namespaces or volumes it uses
	inside      []string // those whose namespaces it uses
	networks    []string // keys
	volumes     []string // keys
	binds       []string // paths on the machine
	writes      []string // those that it may write to
	ends        bool     // it may be done
	completes   bool     // another waits until it is done
}

type network struct {
	key, name, config string
	external          bool
}

type volume struct {
	key, name, driver string
	external          bool
	options           map[string]string
}

// ID returns "stack:NAME".
func (s Stack) ID() string { return "stack:" + s.Name }

// Running returns the ID of the part of the stack that is planned as its containers.
func (s Stack) Running() string { return "compose:" + s.Name }

func (s Stack) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 3 * time.Minute
	}
	return s.Timeout
}

// Check implements [host.Resource].
func (s Stack) Validate() (ps lab.Problems) {
	ps = checkProject(s.Name)
	if !path.IsAbs(s.Dir) || path.Clean(s.Dir) != s.Dir || s.Dir == "/" {
		ps = append(ps, lab.Problem{Path: "dir", Text: s.Dir, Message: "is not an absolute path in its shortest form"})
	}
	if s.doc == nil {
		ps = append(ps, lab.Problem{Path: "services", Message: "there are none", Hint: "make the stack with compose.Load"})
	}
	if strings.ContainsAny(s.Format, "\n\"") {
		ps.Add("format", "holds a quote or a newline")
	}
	seen := map[string]bool{}
	for i, f := range s.Files {
		bad := f.check()
		if seen[f.Path] {
			bad.Add("path", "%s is named twice", f.Path)
		}
		seen[f.Path] = true
		ps = append(ps, bad.Under(fmt.Sprintf("files[%d]", i))...)
	}
	return append(ps, s.exposed()...)
}

// exposed reports secrets that the compose.yaml shows.
func (s Stack) exposed() (ps lab.Problems) {
	for _, f := range s.Files {
		v := strings.TrimSpace(f.Secret.Reveal())
		if len(v) < minSecret {
			continue
		}
		for at, text := range texts(s.doc, "") {
			if strings.Contains(text, v) {
				ps = append(ps, lab.Problem{Path: at, Message: "the compose.yaml holds the value of " + f.Path + " in plain text", Hint: "mount the secret instead"})
			}
		}
	}
	return ps
}

// texts yields every text of a document with its path.
func texts(v any, at string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) { walk(v, at, yield) }
}

func walk(v any, at string, yield func(string, string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(at, v)
	case []any:
		for i := range v {
			if !walk(v[i], fmt.Sprintf("%s[%d]", at, i), yield) {
				return false
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if !walk(v[k], strings.TrimPrefix(at+"."+k, "."), yield) {
				return false
			}
		}
	}
	return true
}

// Observe implements [host.Resource]: the parts ask.
func (s Stack) Observe(*host.Query) {}

// Plan implements [host.Resource]: the parts are planned.
func (s Stack) Plan(*host.Observation) ([]host.Op, error) { return nil, nil }

// Resources implements [host.Set].
func (s Stack) Resources() []host.Resource {
	var out []host.Resource
	out = append(out, s.Before...)
	dirs := map[string]bool{s.Dir: true}
	out = append(out, host.Directory{Path: s.Dir, Mode: 0o750})
	p := project{stack: s, Order: host.Order{After: []string{"directory:" + s.Dir}}}
	for _, f := range s.Files {
		for dir := path.Dir(path.Join(s.Dir, f.Path)); !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	var sorted []string
	for d := range dirs {
		if d != s.Dir {
			sorted = append(sorted, d)
		}
	}
	slices.Sort(sorted)
	for _, d := range sorted {
		if dir := (host.Directory{Path: d, Mode: 0o755}); s.written(d) {
			out = append(out, givenFolder{dir})
		} else {
			out = append(out, dir)
		}
	}
	for _, f := range s.Files {
		r := f.resource(s.Dir, host.Order{})
		out = append(out, r)
		p.After = append(p.After, r.ID())
	}
	model := host.File{Path: path.Join(s.Dir, composeFile), Content: string(s.Render()), Mode: 0o640, ValidateWith: s.validateScript()}
	former := formerFiles{stack: s}
	p.After = append(p.After, former.ID(), model.ID())
	out = append(out, former, model, p)
	return append(out, s.Parts...)
}

// written reports whether a service may write to a path on the machine.
func (s Stack) written(p string) bool {
	for _, sv := range s.services {
		for _, w := range sv.writes {
			if p == w || strings.HasPrefix(p, strings.TrimSuffix(w, "/")+"/") {
				return true
			}
		}
	}
	return false
}

// givenFolder is a folder that a service may write to. It is made, and then the service's: images give such folders to whom they run as, and would not
// start, or not write, if it was taken back.
type givenFolder struct{ host.Directory }

// ID implements [host.Resource].
func (f givenFolder) ID() string { return "folder:" + f.Path }

// Plan implements [host.Resource].
func (f givenFolder) Plan(o *host.Observation) ([]host.Op, error) {
	if o.Stat(f.Path).Type == host.DirFile {
		return nil, nil
	}
	return f.Directory.Plan(o)
}

// Render returns the compose.yaml that is put on the machine: canonical, with pinned images, dollar signs doubled as Compose wants them, and
// with labels that tell from what each container was made.
func (s Stack) Render() []byte {
	doc := clone(s.doc).(map[string]any)
	for _, sv := range s.services {
		def, ok := subtree(doc, "services", sv.name).(map[string]any)
		if !ok {
			continue
		}
		labels, _ := def["labels"].(map[string]any)
		if labels == nil {
			labels = map[string]any{}
		}
		labels[labelConfig] = sv.config
		if d := s.digests(sv); d != "" {
			labels[labelFiles] = d
		}
		if s.Format != "" {
			labels[labelFormat] = s.Format
		}
		def["labels"] = labels
		def["image"] = sv.image
	}
	for _, n := range s.networks {
		if def, ok := subtree(doc, "networks", n.key).(map[string]any); ok && !n.external {
			labels, _ := def["labels"].(map[string]any)
			if labels == nil {
				labels = map[string]any{}
			}
			labels[labelConfig] = n.config
			def["labels"] = labels
		}
	}
	meta := map[string]any{}
	var names, reloaded []any
	for _, f := range s.Files {
		if f.IfAbsent {
			continue
		}
		names = append(names, f.Path)
		if f.Reload {
			reloaded = append(reloaded, f.Path+":"+f.digest())
		}
	}
	if names != nil {
		meta["files"] = names
	}
	if reloaded != nil {
		meta["reload"] = reloaded
	}
	if s.Format != "" {
		meta["format"] = s.Format
	}
	if len(meta) > 0 {
		doc[metaKey] = meta
	}
	return encode(escape(doc))
}

// digests returns the digests of the files that a service mounts and cannot read again while it runs.
func (s Stack) digests(sv service) string {
	var out []string
	for _, f := range s.Files {
		if f.Reload || f.IfAbsent {
			continue
		}
		p := path.Join(s.Dir, f.Path)
		for _, b := range sv.binds {
			if b == p || strings.HasPrefix(p, strings.TrimSuffix(b, "/")+"/") {
				out = append(out, f.Path+":"+f.digest())
				break
			}
		}
	}
	return strings.Join(out, " ")
}

func encode(doc any) []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		panic(err) // what was decoded of YAML can be encoded
	}
	_ = e.Close() // a buffer takes everything
	return b.Bytes()
}

// escape doubles the dollar signs in all values, so that Compose does not take them for variables.
func escape(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "$", "$$")
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = escape(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = escape(v[k])
		}
		return out
	}
	return v
}

func clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = clone(v[k])
		}
		return out
	}
	return v
}

// subtree returns what is at a path of keys, nil when nothing is.
func subtree(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// hash returns 12 hexadecimal digits of what identifies a definition.
func hash(v any) string {
	var b []byte
	if text, ok := v.(string); ok {
		b = []byte(text)
	} else {
		b = encode(v)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:6])
}

// Image returns the pinned image of a service, "" when there is no such service.
func (s Stack) Image(service string) string {
	for _, sv := range s.services {
		if sv.name == service {
			return sv.image
		}
	}
	return ""
}

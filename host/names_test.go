package host

import (
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// samples returns a valid resource of every kind.
func samples() map[string]Resource {
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMp0bypfYn2jo44mT/O0o4rZx0djWWFF1Lex9hwdv/fs"
	yes := true
	return map[string]Resource{
		"archive":       Archive{Path: "/srv/a", URL: "https://example.org/a", SHA256: sum, Owner: "o", Group: "g"},
		"aptSource":     AptSource{Name: "a", URIs: []string{"https://example.org"}, Suites: []string{"stable"}, Components: []string{"main"}},
		"authorizedKey": AuthorizedKey{User: "pi", Key: key},
		"block":         Block{Path: "/srv/a", Name: "n", Content: "c", Create: true, Owner: "o", Group: "g"},
		"caCertificate": CACertificate{Name: "ca", Absent: true},
		"command":       Command{Name: "c", Run: "true", Creates: "/srv/a", Values: map[string]lab.Secret{"A": lab.NewSecret("b")}},
		"cron":          Cron{Name: "c", Schedule: "@daily", Command: "true", User: "pi", Env: map[string]string{"A": "b"}},
		"directory":     Directory{Path: "/srv/a", Owner: "o", Group: "g"},
		"disk":          Disk{Device: "/dev/disk/by-id/a", Label: "l"},
		"download":      Download{Path: "/srv/a", URL: "https://example.org/a", SHA256: sum, Owner: "o", Group: "g"},
		"dropIn":        DropIn{Unit: "a.service", Name: "n", Content: "[Service]\n"},
		"file":          File{Path: "/srv/a", Content: "c", Owner: "o", Group: "g"},
		"group":         Group{Name: "g"},
		"hostname":      Hostname{Name: "h", Domain: "d"},
		"kernelCmdline": KernelCmdline{Words: []string{"a=b"}},
		"kernelModule":  KernelModule{Name: "m"},
		"line":          Line{Path: "/srv/a", Line: "l", Create: true, Owner: "o", Group: "g"},
		"link":          Link{Path: "/srv/a", Target: "t"},
		"mount":         Mount{Path: "/srv/a", Source: "LABEL=a", FSType: "ext4", Options: []string{"noatime"}},
		"noSwap":        NoSwap{},
		"package":       Package{Name: "pp", Version: "1"},
		"reboot":        Reboot{},
		"sysctl":        Sysctl{Key: "net.a", Value: "1", File: "/etc/sysctl.d/a.conf"},
		"timer":         Timer{Name: "t", OnCalendar: "daily", Command: "/bin/true", User: "pi", Service: []string{"A=b"}},
		"timezone":      Timezone{Name: "Europe/Paris"},
		"unit":          Unit{Name: "a.service", State: Started, Enabled: &yes},
		"unitFile":      UnitFile{Name: "a.service", Content: "[Service]\n"},
		"user":          User{Name: "u", Group: "g", Groups: []string{"a"}, Comment: "c", Home: "/srv/u", Shell: "/bin/sh"},
	}
}

// hostile are texts that somebody, or a key, may well contain.
var hostile = []string{
	"../../etc/x", "a/../b", "a/b", "..", ".", "~", "-rf", "a b", "a\nb", "a\x00b", "a\rb", "*", "?", "%s", "#x", ":",
	"a:b,c", "it's", `"`, `\`,
	"$(touch /pwned)", "`touch /pwned`", "'; touch /pwned; '", "; touch /pwned;", "\n touch /pwned\n", "&", "|", ">/pwned",
	"${x}", "é", "",
	strings.Repeat("n", 300),
}

// TestNamesAreOnlyNames: whatever stands in any field of any kind, if it is valid, is one word of every
// script, and no part of the name of a temporary file.
func TestNamesAreOnlyNames(t *testing.T) {
	kinds := samples()
	for kind := range Kinds() {
		r, ok := kinds[kind]
		if !ok {
			t.Errorf("there is no sample of the kind %s", kind)
			continue
		}
		if err := (State{r}).Validate(); err != nil {
			t.Errorf("the sample of %s: %v", kind, err)
		}
		tried := 0
		for _, h := range hostile {
			tried += tryEverywhere(t, kind, r, h)
		}
		if tried == 0 && reflect.TypeOf(r).NumField() > 2 {
			t.Errorf("no hostile %s is valid", kind)
		}
	}
}

// tryEverywhere puts the text into each field of the resource, and returns how often that was valid.
func tryEverywhere(t *testing.T, kind string, r Resource, text string) (valid int) {
	for _, field := range reflect.VisibleFields(reflect.TypeOf(r)) {
		// what a field of code contains is code
		code := slices.Contains([]string{"Run", "Unless", "ValidateWith", "Template"}, field.Name)
		if !field.IsExported() || code || field.Name == "After" {
			continue
		}
		for _, around := range []string{"%s", "/srv/%s", "ORIGINAL%s", "ORIGINAL %s"} {
			evil, okEvil := with(r, field.Name, around, text)
			good, okGood := with(r, field.Name, around, "x")
			if !okEvil || !okGood || (State{evil}).Validate() != nil {
				continue
			}
			valid++
			name := fmt.Sprintf("%s.%s = %q", kind, field.Name, fmt.Sprint(reflect.ValueOf(evil).FieldByName(field.Name)))
			got := shapes(t, name, evil)
			if (State{good}).Validate() == nil && len(text) > 0 {
				if want := shapes(t, name, good); got != want {
					t.Errorf("%s changes the commands:\n%s\nwant\n%s", name, got, want)
				}
			}
		}
	}
	return valid
}

// with returns the resource with the text in a field, in place of ORIGINAL and %s; false if the field
// holds no text.
func with(r Resource, field, around, text string) (Resource, bool) {
	v := reflect.New(reflect.TypeOf(r)).Elem()
	v.Set(reflect.ValueOf(r))
	f := v.FieldByName(field)
	put := func(original string) string {
		return strings.Replace(strings.ReplaceAll(around, "ORIGINAL", original), "%s", text, 1)
	}
	switch {
	case f.Kind() == reflect.String:
		f.SetString(put(f.String()))
	case f.Type() == reflect.TypeFor[[]string]() && f.Len() > 0:
		f.Set(reflect.ValueOf([]string{put(f.Index(0).String())}))
	case f.Type() == reflect.TypeFor[map[string]string]():
		f.Set(reflect.ValueOf(map[string]string{"A": put("a")}))
	default:
		return r, false
	}
	return v.Interface().(Resource), true
}

var tempPattern = regexp.MustCompile(`^\.lab-[0-9a-f]{16}\.tmp$`)

// shapes returns the commands of all scripts that a state of the resource sends to an empty machine,
// without the texts in them, and verifies the names of its temporary files.
func shapes(t *testing.T, name string, r Resource) string {
	t.Helper()
	w, err := newWanted(State{r}, nil)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return ""
	}
	var b strings.Builder
	q := w.query()
	_, asks, _ := strings.Cut(q.script("nonce"), "\nask_facts\n") // what comes before is always the same
	b.WriteString(shape(t, name, asks))
	for _, script := range q.probes.list {
		b.WriteString(shape(t, name, q.scripts[script]))
	}
	o := blank()
	o.users["pi"] = UserState{UID: 1000, GID: 1000, Home: "/home/pi"}
	o.paths["/usr/share/zoneinfo/Europe/Paris"] = Stat{Type: RegularFile}
	if k, ok := r.(AuthorizedKey); ok {
		o.users[k.User] = UserState{UID: 1000, GID: 1000, Home: "/home/pi"}
		o.probes[k.probe()] = ProbeResult{Output: []byte("home /home/pi\nfile /home/pi/.ssh/authorized_keys\n" +
			"real /home/pi/.ssh/authorized_keys\nstat 41ed 1000 1000 /home/pi\nstat 41ed 0 0 /home\nstat 41ed 0 0 /\n")}
	}
	changes, _ := w.diff(o, false)
	for _, c := range changes {
		b.WriteString(shape(t, name, c.op.Script))
		if c.op.Batch != "" {
			b.WriteString(shape(t, name, c.op.Batch+words([]string{c.op.Item})))
		}
		if p := c.op.Payload; p != nil {
			dir, base := path.Split(p.Temp)
			wants := dir == "/run/"
			for _, claim := range relations(c.resource).Claims {
				wants = wants || dir == strings.TrimSuffix(path.Dir(claim.Path), "/")+"/"
			}
			if !wants || !tempPattern.MatchString(base) || path.Clean(p.Temp) != p.Temp {
				t.Errorf("%s: the temporary file is %q", name, p.Temp)
			}
		}
	}
	return b.String()
}

// shape returns the commands of a script, with the number of their words but without their texts.
func shape(t *testing.T, name, script string) string {
	t.Helper()
	f, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(script), "")
	if err != nil {
		t.Errorf("%s: %v in\n%s", name, err, lab.Printable(script))
		return ""
	}
	var b strings.Builder
	syntax.Walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			fmt.Fprintf(&b, "call %d %d\n", len(n.Assigns), len(n.Args))
		case nil, *syntax.Word, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted, *syntax.Comment:
		default:
			fmt.Fprintf(&b, "%T\n", n)
		}
		return true
	})
	return b.String()
}

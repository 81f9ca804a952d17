package strictyaml_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

type config struct {
	Name     string             `yaml:"name,required"`
	Machines []machine          `yaml:"machines"`
	Apps     []app              `yaml:"apps"`
	Labels   map[string]string  `yaml:"labels"`
	Limits   map[string]*limits `yaml:"limits"`
	Vars     map[string]any     `yaml:"vars"`
	Steps    []step             `yaml:"steps"`
	Level    level              `yaml:"level"`
	Basics   `yaml:",inline"`
	Token    lab.SecretRef    `yaml:"token"`
	Plain    lab.Secret       `yaml:"plain"`
	Password string           `yaml:"password,secret"`
	Hidden   limits           `yaml:"hidden,secret"`
	Tokens   []lab.SecretRef  `yaml:"tokens"`
	Logins   map[string]login `yaml:"logins"`
	Untagged string
	Skipped  string `yaml:"-"`
}

type Basics struct {
	On      bool          `yaml:"on"`
	Small   int8          `yaml:"small"`
	Count   int           `yaml:"count"`
	Port    uint16        `yaml:"port"`
	Ratio   float64       `yaml:"ratio"`
	Every   time.Duration `yaml:"every"`
	Mode    fs.FileMode   `yaml:"mode"`
	Address netip.Addr    `yaml:"ip"`
	Pointer *int          `yaml:"pointer"`
}

type machine struct {
	Name    string   `yaml:",key"`
	Address string   `yaml:"address,required"`
	Port    int      `yaml:"port"`
	Jump    []string `yaml:"jump"`
}

type app struct {
	Name lab.App  `yaml:"name"`
	Envs []string `yaml:"envs"`
}

type limits struct {
	Memory string `yaml:"memory"`
	Max    int    `yaml:"max"`
}

type login struct {
	Password lab.SecretRef `yaml:"password"`
}

type level string

func (level) Values() []string { return []string{"debug", "info", "warn"} }

type step interface{ step() }

type fileStep struct {
	Path string      `yaml:"path,required"`
	Mode fs.FileMode `yaml:"mode"`
}

type rebootStep struct {
	After time.Duration `yaml:"after"`
}

func (fileStep) step()    {}
func (*rebootStep) step() {}

func steps() strictyaml.Union {
	return strictyaml.OneOf(map[string]step{"file": fileStep{}, "reboot": &rebootStep{}})
}

func parse(t testing.TB, text string) *strictyaml.Document {
	t.Helper()
	d, err := strictyaml.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecode(t *testing.T) {
	seven := 7
	var got config
	err := parse(t, `
name: home
machines:
  pi2: {address: 192.168.1.202, port: 22}
  pi1:
    address: &a 192.168.1.201
    jump: [pi2, "10"]
  other:
    address: *a
apps:
  - name: erp
    envs: [prod, sandbox]
labels: {a: b, "c.d": "1", e: no, f: 2026-01-02}
limits:
  x: {memory: 1Gi, max: -3}
  y:
vars:
  list: [1, -2, 1.5, true, null, text, "yes", 0.5e3, 2026-01-02]
  deep: {a: {b: []}}
steps:
  - file: {path: /etc/motd, mode: 0644}
  - reboot:
  - reboot: {after: 5s}
level: info
on: true
small: -128
count: +12
port: 65535
ratio: 1e-3
every: 1h30m
mode: "04755"
ip: 10.0.0.1
pointer: 7
token: env:TOKEN
password: hunter2
`).Decode(&got, steps())
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Name: "home",
		Machines: []machine{
			{Name: "pi2", Address: "192.168.1.202", Port: 22},
			{Name: "pi1", Address: "192.168.1.201", Jump: []string{"pi2", "10"}},
			{Name: "other", Address: "192.168.1.201"},
		},
		Apps:   []app{{"erp", []string{"prod", "sandbox"}}},
		Labels: map[string]string{"a": "b", "c.d": "1", "e": "no", "f": "2026-01-02"},
		Limits: map[string]*limits{"x": {"1Gi", -3}, "y": nil},
		Vars: map[string]any{"list": []any{1, -2, 1.5, true, nil, "text", "yes", 500.0, "2026-01-02"},
			"deep": map[string]any{"a": map[string]any{"b": []any{}}}},
		Steps: []step{fileStep{"/etc/motd", 0o644}, &rebootStep{}, &rebootStep{5 * time.Second}},
		Level: "info",
		Basics: Basics{true, -128, 12, 65535, 1e-3, 90 * time.Minute, fs.ModeSetuid | 0o755,
			netip.MustParseAddr("10.0.0.1"), &seven},
		Token:    lab.SecretRef{Scheme: "env", Name: "TOKEN"},
		Password: "hunter2",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeEmpty(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "null", "{}"} {
		v := limits{Memory: "1Gi"}
		if err := parse(t, text).Decode(&v); err != nil || v.Memory != "1Gi" {
			t.Errorf("%q: %v, %+v", text, err, v)
		}
		var c config
		err := parse(t, text).Decode(&c, steps())
		if want := "lab.yaml:1:1: a required key is missing: name"; err == nil ||
			strings.Replace(err.Error(), ":2:1:", ":1:1:", 1) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestProblems has every kind of problem, with its exact text.
func TestProblems(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ text, want string }{
		// syntax
		{"a: [1", "lab.yaml:2:1: not YAML: did not find expected ',' or ']', while parsing a flow sequence that " +
			"begins on line 1"},
		{"a: b: c", `lab.yaml:1:5: not YAML: mapping values are not allowed in this context (quote text that ` +
			`contains ": ")`},
		{"a: b\n\tc: d", "lab.yaml:2:1: not YAML: found a tab character that violates indentation, while scanning a " +
			"plain scalar that begins on line 1 (indent with spaces)"},
		{"a: *b", "lab.yaml:1:4: not YAML: an alias without an anchor (quote it if it is text)"},
		{"a:\n  - b\n c: d", "lab.yaml:3:2: not YAML: did not find expected key, while parsing a block mapping that " +
			"begins on line 1 (check the indentation)"},
		{"name: x\né: \xff", "lab.yaml:2:4: not UTF-8 (save the file as UTF-8)"},
		{"name: \x00", "lab.yaml:1:7: a control character, U+0000 (remove it, or write it as an escape in double quotes)"},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65),
			"lab.yaml:1:65: not YAML: exceeded max depth of 64, while increasing flow level that begins on line 1"},
		{strings.Repeat("#", strictyaml.MaxSize+1), "lab.yaml: the document has 1048577 bytes, more than 1048576"},
		{"name: x\n---\nname: y", "lab.yaml:2:1: a second document begins here; only one is allowed (remove the line ---)"},
		// YAML that is not supported
		{"name: x\nname: y\nvars: {a: {b: 1, b: 2}}",
			"lab.yaml:2:1: a duplicate key: name (the first is on line 1)\n" +
				"lab.yaml:3:18: vars.a: a duplicate key: b (the first is on line 3)"},
		{"a: &a {b: c}\nd: {<<: *a}", "lab.yaml:2:5: d: merge keys are not supported: << (write the keys out)"},
		{"name: !vault x\nvars: !!map {}",
			"lab.yaml:1:7: name: a tag (remove it, and quote text)\nlab.yaml:2:7: vars: a tag (remove it, and quote text)"},
		{"80: x\n~: y\ntrue: z\n[a]: b",
			"lab.yaml:1:1: a key that is not text: 80 (quote it)\n" +
				"lab.yaml:2:1: an empty key (quote it if it is intended)\n" +
				"lab.yaml:3:1: a key that is not text: true (quote it)\nlab.yaml:4:1: a key that is not text"},
		{"vars: &a [*a]", "lab.yaml:1:11: vars[0]: an alias inside its own anchor: *a"},
		{long + ": x", "lab.yaml:1:1: a key of 300 bytes; 256 are allowed: " + long[:80] + "…"},
		// keys
		{"name: x\nmachines:\n  pi1:\n    adress: y\n",
			"lab.yaml:3:3: machines.pi1: a required key is missing: address\n" +
				"lab.yaml:4:5: machines.pi1: unknown key: adress (nearest: address)"},
		{"name: x\nlimits: {a: {zzzzzz: 1}}", "lab.yaml:2:14: limits.a: unknown key: zzzzzz (known: memory, max)"},
		{"name:", "lab.yaml:1:1: name: empty, but a value is required"},
		{"name: x\nUntagged: y\n", "lab.yaml:2:1: unknown key: Untagged"},
		// kinds
		{"[]", "lab.yaml:1:1: expected a mapping, got a list"},
		{"name: x\napps: {}\nlabels: []\nmachines: text",
			"lab.yaml:2:7: apps: expected a list, got an empty mapping\n" +
				"lab.yaml:3:9: labels: expected a mapping, got a list\n" +
				"lab.yaml:4:11: machines: expected a mapping, got text: text"},
		{"name: x\napps: [{envs: prod}]", "lab.yaml:2:15: apps[0].envs: expected a list, got text: prod (write [prod])"},
		{"name: [x]", "lab.yaml:1:7: name: expected text, got a list"},
		// scalars
		{"name: 1.10", `lab.yaml:1:7: name: expected text, got a number: 1.10 (quote it: "1.10")`},
		{"name: true", `lab.yaml:1:7: name: expected text, got a boolean: true (quote it: "true")`},
		{"name: x\nlabels: {a: }", `lab.yaml:2:10: labels.a: expected text, got nothing (write "" if it is intended ` +
			`to be empty)`},
		{"name: x\non: yes", "lab.yaml:2:5: on: expected true or false, got text: yes (write true)"},
		{"name: x\non: 'false'", "lab.yaml:2:5: on: expected true or false, got text: false (remove the quotes)"},
		{"name: x\non: ", "lab.yaml:2:1: on: expected true or false, got nothing (write a value, or remove the key)"},
		{"name: x\nsmall: 128", "lab.yaml:2:8: small: not between -128 and 127: 128"},
		{"name: x\nport: -1", "lab.yaml:2:7: port: not between 0 and 65535: -1"},
		{"name: x\nport: 65536", "lab.yaml:2:7: port: not between 0 and 65535: 65536"},
		{"name: x\ncount: 99999999999999999999",
			"lab.yaml:2:8: count: not between -9223372036854775808 and 9223372036854775807: 99999999999999999999"},
		{"name: x\ncount: 0644", "lab.yaml:2:8: count: a whole number is written in decimal digits, without a " +
			"leading zero: 0644"},
		{"name: x\ncount: '3'", "lab.yaml:2:8: count: expected a whole number, got text: 3 (remove the quotes)"},
		{"name: x\ncount: 1.5", "lab.yaml:2:8: count: expected a whole number, got a number: 1.5"},
		{"name: x\nratio: .inf", "lab.yaml:2:8: ratio: expected a finite number, got a number: .inf"},
		{"name: x\nratio: 1e999", "lab.yaml:2:8: ratio: expected a finite number, got text: 1e999"},
		{"name: x\nratio: '1'", "lab.yaml:2:8: ratio: expected a finite number, got text: 1 (remove the quotes)"},
		{"name: x\nevery: 30", "lab.yaml:2:8: every: not a duration: 30 (add a unit: 30s)"},
		{"name: x\nevery: soon", "lab.yaml:2:8: every: not a duration: soon (write 30s, 10m or 1h30m)"},
		{"name: x\nmode: 644", "lab.yaml:2:7: mode: not a file mode: 644 (write 0644)"},
		{"name: x\nmode: u=rw", "lab.yaml:2:7: mode: not a file mode: u=rw (write octal digits with a leading zero: 0644)"},
		{"name: x\nip: 10.0.0", `lab.yaml:2:5: ip: ParseAddr("10.0.0"): IPv4 address too short: 10.0.0`},
		{"name: x\nlevel: inf", "lab.yaml:2:8: level: not one of debug, info, warn: inf (nearest: info)"},
		// free values
		{"name: x\nvars: {a: 0644, b: yes, c: .nan, d: 99999999999999999999, e: [0x10]}",
			"lab.yaml:2:11: vars.a: YAML 1.1 and 1.2 read this number differently (quote it, or write it in decimal " +
				"digits without a leading zero)\n" +
				"lab.yaml:2:20: vars.b: YAML 1.1 reads this as a boolean, and 1.2 as text (write true, or quote " +
				"it)\nlab.yaml:2:28: vars.c: not a finite decimal number (quote it if it is text)\n" +
				"lab.yaml:2:37: vars.d: a number too large (quote it)\n" +
				"lab.yaml:2:63: vars.e[0]: YAML 1.1 and 1.2 read this number differently (quote it, " +
				"or write it in decimal digits without a leading zero)"},
		// one of several types
		{"name: x\nsteps:\n- fle: {}\n- file:\n  path: /x\n- reboot\n- {}\n- file: {}\n- file: {path: /x, mode: 9}",
			"lab.yaml:3:3: steps[0]: unknown kind: fle (nearest: file)\n" +
				"lab.yaml:4:3: steps[1]: expected a mapping with one key, got 2 keys (indent the content of file)\n" +
				"lab.yaml:6:3: steps[2]: expected a mapping with one key, got text: reboot (write reboot: {})\n" +
				"lab.yaml:7:3: steps[3]: expected a mapping with one key, got an empty mapping (known: file, " +
				"reboot)\nlab.yaml:8:3: steps[4].file: a required key is missing: path\n" +
				"lab.yaml:9:26: steps[5].file.mode: not a file mode: 9 (write octal digits with a " +
				"leading zero: 0644)"},
		// secrets
		{"name: x\ntoken: hunter2", `lab.yaml:2:8: token: read secret reference: refused: not a reference; a secret ` +
			`in plain text is not accepted here (write "file:PATH" or "env:NAME")`},
		{"name: x\nplain: hunter2", `lab.yaml:2:8: plain: read secret: refused: a secret in plain text in a document ` +
			`(write a reference instead, "file:PATH" or "env:NAME")`},
		{"name: x\ntoken: [hunter2]\npassword: 123456\nhidden: {max: hunter2, memory: 7}",
			"lab.yaml:2:8: token: expected text, got a list\n" +
				"lab.yaml:3:11: password: expected text, got a number (quote it)\n" +
				"lab.yaml:4:15: hidden.max: expected a whole number, got text\n" +
				"lab.yaml:4:32: hidden.memory: expected text, got a number (quote it)"},
		{"name: x\ntokens: hunter2\nlogins: {a: hunter2, b: [hunter2]}",
			"lab.yaml:2:9: tokens: expected a list, got text\n" +
				"lab.yaml:3:13: logins.a: expected a mapping, got text (known: password)\n" +
				"lab.yaml:3:25: logins.b: expected a mapping, got a list (known: password)"},
		{"name: x\nlogins: hunter2\ntoken: *hunter2",
			"lab.yaml:3:8: not YAML: an alias without an anchor (quote it if it is text)"},
	} {
		d, err := strictyaml.Parse("lab.yaml", []byte(c.text))
		if err == nil {
			err = d.Decode(&config{}, steps())
		}
		if err == nil {
			t.Errorf("%.80q: no problem\nwant %s", c.text, c.want)
		} else if err.Error() != c.want {
			t.Errorf("%.80q:\ngot  %s\nwant %s", c.text, err, c.want)
		} else if strings.Contains(c.text, "hunter2") && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.80q: shows the secret", c.text)
		} else if !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%.80q: not an ErrInvalid", c.text)
		}
	}
}

func TestLocate(t *testing.T) {
	d := parse(t, `name: x
machines:
  pi1:
    address: 10.0.0.1
  a.b:
    address: &a 10.0.0.2
  pi3: {address: *a}
  pi5: {address: "https://me:hunter2@pi5/"}
  pi6: {address: "me:hunter2@pi6"}
apps:
  - name: Erp
steps:
  - file:
      path: /etc/motd
vars: {deep: {password: hunter2}}
password: hunter2
`)
	if err := d.Decode(&config{}, steps()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"machines.pi1.address", "lab.yaml:4:14: machines.pi1.address: bad: 10.0.0.1"},
		{"machines.pi1", "lab.yaml:3:3: machines.pi1: bad"},
		{"machines.pi1.port", "lab.yaml:3:3: machines.pi1.port: bad"},
		{"machines.a.b.address", "lab.yaml:6:14: machines.a.b.address: bad: 10.0.0.2"},
		{"machines.pi3.address", "lab.yaml:7:18: machines.pi3.address: bad: 10.0.0.2"},
		{"machines.pi4.address", "lab.yaml:2:1: machines.pi4.address: bad"},
		{"machines.pi5.address", "lab.yaml:8:18: machines.pi5.address: bad"}, // what may hold a password is not repeated
		{"machines.pi6.address", "lab.yaml:9:18: machines.pi6.address: bad"},
		{"apps[0].name", "lab.yaml:11:11: apps[0].name: bad: Erp"},
		{"apps[7].name", "lab.yaml:10:1: apps[7].name: bad"},
		{"apps[x].name", "lab.yaml:10:1: apps[x].name: bad"},
		{"steps[0].file.path", "lab.yaml:14:13: steps[0].file.path: bad: /etc/motd"},
		{"steps[0].path", "lab.yaml:14:13: steps[0].path: bad: /etc/motd"},
		{"vars.deep.password", "lab.yaml:15:25: vars.deep.password: bad"},
		{"password", "lab.yaml:16:11: password: bad"},
		{"", "lab.yaml:1:1: bad"},
		{"nowhere", "lab.yaml:1:1: nowhere: bad"},
	} {
		err := d.Locate(lab.Problems{{Path: c.path, Message: "bad"}})
		if err.Error() != c.want {
			t.Errorf("%s: %s\nwant %s", c.path, err, c.want)
		}
	}
	if err := d.Locate(lab.Problems{{Path: "apps[0].name",
		Message: "Erp is no name"}}); err.Error() != "lab.yaml:11:11: apps[0].name: Erp is no name" {
		t.Error(err)
	}
	if err := d.Locate(lab.Problems{{File: "other", Line: 3, Message: "bad"}}); err.Error() != "other:3: bad" {
		t.Error(err)
	}
	joined := errors.Join(lab.Problems{{Path: "name", Message: "bad"}}, lab.ErrDrift)
	if err := d.Locate(joined); err.Error() != "lab.yaml:1:7: name: bad: x\ndrift" || !errors.Is(err, lab.ErrDrift) {
		t.Error(err)
	}
	more := fmt.Errorf("%w: %w", lab.ErrBlocked, lab.Problems{{Path: "name", Message: "bad"}})
	if err := d.Locate(more); err != more {
		t.Error(err)
	}
	if err := d.Locate(nil); err != nil {
		t.Error(err)
	}
	if err := parse(t, "").Locate(lab.Problems{{Path: "a.b", Message: "bad"}}); err.Error() != "lab.yaml: a.b: bad" {
		t.Error(err)
	}
}

// TestDecodeWrongTypes: types that are not supported are bugs of the program, not Problems.
func TestDecodeWrongTypes(t *testing.T) {
	type twice struct {
		A string `yaml:"a"`
		B string `yaml:"a"`
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{config{}, "strictyaml: decode into strictyaml_test.config: not a pointer, or nil"},
		{(*config)(nil), "strictyaml: decode into *strictyaml_test.config: not a pointer, or nil"},
		{&config{}, "strictyaml: strictyaml_test.step: an interface without a Union"},
		{new(chan int), "strictyaml: chan int: this type is not supported"},
		{new([]byte), "strictyaml: []uint8: byte slices are not supported"},
		{new(map[int]int), "strictyaml: map[int]int: keys must be strings"},
		{&twice{}, `strictyaml: strictyaml_test.twice: two fields are named "a"`},
		{&struct {
			A int `yaml:",required"`
		}{}, `strictyaml: struct { A int "yaml:\",required\"" }.A: its tag has no name`},
		{&struct {
			A int `yaml:"a,omitempty"`
		}{}, `strictyaml: struct { A int "yaml:\"a,omitempty\"" }.A: unknown option "omitempty" in its tag`},
		{&struct {
			a int `yaml:"a"`
		}{}, `strictyaml: struct { a int "yaml:\"a\"" }.a: the field is not exported`},
	} {
		err := parse(t, "name: x").Decode(c.v)
		if err == nil || err.Error() != c.want {
			t.Errorf("%T: %v\nwant %s", c.v, err, c.want)
		}
	}
}

// TestBombs: the work for a small document is limited.
func TestBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("name: x\nvars:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&aliases, "  a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	var deep strings.Builder
	deep.WriteString("name: x\nvars:\n  a0: &a0 [x]\n")
	for i := 1; i < 100; i++ {
		fmt.Fprintf(&deep, "  a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"aliases", aliases.String(), "lab.yaml:7:57: vars.a4[9]: more than 100000 values, with this alias expanded: *a3"},
		{"levels", deep.String(), "more than 64 levels, with this alias expanded: *a"},
		{"values", "vars: [" + strings.Repeat("x,", 200_000) + "x]",
			"lab.yaml:1:200006: vars[99999]: more than 100000 values"},
		{"problems", "labels: [" + strings.Repeat("x,", 90_000) + "x]\napps: [" + strings.Repeat("x,", 5000) + "x]",
			"lab.yaml: more than 1000 problems"},
		{"keys", strings.Repeat("a: 1\n", 20_000), "a duplicate key"},
		{"block", strings.Repeat("- ", 400_000), "exceeded max depth"},
		{"complex keys", strings.Repeat("? ", 400_000), "exceeded max depth"},
	} {
		d, err := strictyaml.Parse("lab.yaml", []byte(c.text))
		if err == nil {
			err = d.Decode(&config{}, steps())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v\nwant %s", c.name, err, c.want)
		}
		if ps, ok := err.(lab.Problems); ok && len(ps) > 1001 {
			t.Errorf("%s: %d problems", c.name, len(ps))
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"name: x", "a: &a [*a]", "steps: [{file: {path: /x, mode: 0644}}, {reboot: }]",
		"? [a]\n: b", "machines: {pi1: {address: x}}", "<<: *a",
		"vars: {a: [1, 1.5, ~, yes, 0x1f]}", "limits: {a: , b: {max: 99999999999999999999}}", "\ufeffname: |\n  x\n",
		"!!int 1", "mode: '04755'\nevery: 3s\nip: ::1\n", "---\n...\n---", "token: env:A\nplain: a\npassword: 1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := strictyaml.Parse("f", data)
		if err == nil {
			err = d.Decode(&config{}, steps())
			var free any
			if e := d.Decode(&free); e != nil && !errors.Is(e, lab.ErrInvalid) {
				t.Error(e)
			}
		}
		if err == nil {
			return
		}
		ps, ok := err.(lab.Problems)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range ps {
			if p.File != "f" || p.Message == "" || p.Line < 0 || p.Line > len(data)+1 {
				t.Errorf("%+v", p)
			}
		}
	})
}

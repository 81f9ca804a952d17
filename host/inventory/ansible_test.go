package inventory

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// ansible is ansible-core's own inventory, in a Python process.
type ansible struct {
	tb  testing.TB
	in  io.Writer
	out *bufio.Reader
}

func startAnsible(tb testing.TB) *ansible {
	tb.Helper()
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import ansible.inventory.manager").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		real.Missing(tb, "ansible-core")
	}
	cmd := exec.Command(python, filepath.Join("testdata", "oracle.py"))
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	home := tb.TempDir()
	config := filepath.Join(home, "ansible.cfg") // empty, so that this machine's own is not read
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "ANSIBLE_CONFIG=" + config, "LC_ALL=C.UTF-8"}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("ansible: %v\n%s", err, stderr.String())
		}
	})
	return &ansible{tb, in, bufio.NewReader(out)}
}

func (a *ansible) ask(question, answer any) {
	a.tb.Helper()
	b, err := json.Marshal(question)
	if err != nil {
		a.tb.Fatal(err)
	}
	if _, err := a.in.Write(append(b, '\n')); err != nil {
		a.tb.Fatal(err)
	}
	line, err := a.out.ReadBytes('\n')
	if err != nil {
		a.tb.Fatal(err)
	}
	if err := json.Unmarshal(line, answer); err != nil {
		a.tb.Fatalf("%v: %s", err, line)
	}
}

type ansibleHosts struct {
	Hosts map[string]struct {
		Groups []string
		Vars   map[string]any
	}
}

func (a *ansible) load(spec Spec) (answer ansibleHosts) {
	a.tb.Helper()
	file := filepath.Join(a.tb.TempDir(), "inventory.yml")
	if err := os.WriteFile(file, []byte(ansibleInventory(spec)), 0o600); err != nil {
		a.tb.Fatal(err)
	}
	a.ask(map[string]string{"load": file}, &answer)
	return answer
}

type ansibleAnswer struct {
	Hosts   []string
	Ignored []string
	Error   *string
}

func (a *ansible) choose(pattern string) (answer ansibleAnswer) {
	a.tb.Helper()
	a.ask(map[string]string{"select": pattern}, &answer)
	return answer
}

// ansibleInventory returns the inventory for Ansible, as JSON, which is YAML, with ordered keys:
// every host and group under all, then each group.
func ansibleInventory(spec Spec) string {
	value := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	object := func(n int, member func(i int) (string, string)) string {
		parts := make([]string, n)
		for i := range n {
			k, v := member(i)
			parts[i] = value(k) + ": " + v
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	names := func(list []string) string {
		return object(len(list), func(i int) (string, string) { return list[i], "{}" })
	}
	vars := func(v map[string]any, priority int) string {
		all := map[string]any{}
		for k, x := range v {
			all[k] = x
		}
		if priority != 0 {
			all["ansible_group_priority"] = priority + 1 // Ansible's default is 1
		}
		return value(all)
	}
	groups := make([]string, len(spec.Groups))
	for i, g := range spec.Groups {
		groups[i] = g.Name
	}
	body := func(hosts, children, vars string) string {
		return fmt.Sprintf(`{"hosts": %s, "children": %s, "vars": %s}`, hosts, children, vars)
	}
	return object(1+len(spec.Groups), func(i int) (string, string) {
		if i == 0 {
			hosts := object(len(spec.Hosts), func(i int) (string, string) {
				return spec.Hosts[i].Name, vars(spec.Hosts[i].Vars, 0)
			})
			return "all", body(hosts, names(groups), vars(spec.Vars, 0))
		}
		g := spec.Groups[i-1]
		return g.Name, body(names(g.Hosts), names(g.Children), vars(g.Vars, g.Priority))
	})
}

// TestAnsibleLab verifies what TestSelect expects of Ansible.
func TestAnsibleLab(t *testing.T) {
	a := startAnsible(t)
	_, spec := readInventorySpec(t, labInventory)
	a.load(spec)
	inv := newLabInventory(t)
	for _, p := range []string{"raspberries:&local:!gitea", "!gitea:raspberries", "&local:raspberries", "gitea",
		"step_ca:!pi1", "local", "all", "pi3:pi1", "nosuch", "&pihole", "!gitea",
		"pihole[0]", "raspberries[-1]", "step_ca[1:]", "raspberries:&pihole:!step_ca[0]", "~pi[12]", "pi*",
		"postgres:pihole", "raspberries:!nosuch", "raspberries:&nosuch",
		"raspberries[2:0]", "raspberries[0-1]", "raspberries[3]", "raspberries[7:8]", "pi[12]", "pi[!1]", "pi*[0]",
		"pi1[0]", "*", "a*", "~.*", "~(", "pi1:22", "pi1:pi2,pi3", "pi1 pi2", "pi1 pi2,pi3", "", "!",
		"pi1:!!pi1", "ungrouped", "127.0.0.1"} {
		compareWithAnsible(t, inv, p, a.choose(p))
	}
}

// TestAnsibleSplit: a text is one term if it looks like an address.
func TestAnsibleSplit(t *testing.T) {
	a := startAnsible(t)
	_, spec := readInventorySpec(t,
		"hosts: {a: , b: , c1: , fe: }\ngroups: {d: {hosts: [b, a]}, e: {hosts: [c1]}, f: {hosts: [fe]}}")
	a.load(spec)
	inv, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"a:b:c1:d:e:f:fe:a", "a:b:c1:d:e:f:fe", "a:b:c1:d:e:f::", "a:b:c1:d:e:f:fe::", "::d",
		"d::", "a:b::fe!", "a:b:c1:d::e:x y", ":d", "[::1]:22", "[d]:22", "[d:e]:5", "d:7", "d[0]:7", "d[0:1]:7",
		"10.0.0.[1:9]", "10.0.0.256:d", "10.0.0.[1:9:2]", "b[a:f]", "b[A:F]", "b[a:f:2]", "b[a:fe]", "a-:d", "-a:d",
		"_:d", "_a:d", "a_:d", "a.b:d", "a..b:d", "ü:d", "ü", "ſ[ſ:k]", "0:0:0:0:0:0:1.2.3.4", "0:0:0:0:0:ffff:1.2.3.4",
		"0:0:0:0:0:ffff:1.2.3.4:d", "0:0:0:0:0:0:1.2.3.4:d", "::ffff:1.2.3.4", "[0:1]:[0:1]::",
		"[a:f]:[a:f]:[a:f]:[a:f]:[a:f]:[a:f]:[a:f]:[a:f]", "d\n", "d:e\n", "d:1\n", "[d]\n:1", "d\x1ce",
		"d\u2003e", "d]e[f", "d[:e", "d[0]e"} {
		compareWithAnsible(t, inv, p, a.choose(p))
	}
	r := rand.New(rand.NewPCG(1, 2))
	asked := 3000
	if testing.Short() {
		asked = 300
	}
	alphabet := []rune("abdef12::::[[]],&!.-_* \u00e9")
	for range asked {
		p := make([]rune, r.IntN(16))
		for i := range p {
			p[i] = pick(r, alphabet)
		}
		compareWithAnsible(t, inv, string(p), a.choose(string(p)))
	}
}

// TestAnsibleLevels: below the first level Ansible's order depends on hashes, which oracle.py sets.
func TestAnsibleLevels(t *testing.T) {
	a := startAnsible(t)
	_, spec := readInventorySpec(t, `
hosts: {h1: , h2: , h3: , h4: , h5: }
groups:
  top: {children: [b, a], hosts: [h5]}
  a: {children: [y]}
  b: {children: [x], hosts: [h4]}
  x: {hosts: [h1, h2]}
  y: {hosts: [h3, h4]}
`)
	a.load(spec)
	inv, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	if hosts, err := inv.Select("top"); err != nil || hostNames(hosts) != "h5 h4 h3 h1 h2" {
		t.Error(hostNames(hosts), err)
	}
	for _, p := range []string{"top", "top[1]", "top[2:]", "*", "?", "a*", "[!t]"} {
		compareWithAnsible(t, inv, p, a.choose(p))
	}
}

func compareWithAnsible(t *testing.T, inv *Inventory, pattern string, theirs ansibleAnswer) (refused bool) {
	t.Helper()
	hosts, warnings, err := inv.SelectAnsible(pattern)
	if (err != nil) != (theirs.Error != nil) {
		t.Errorf("%q: %v, Ansible: %v", pattern, err, deref(theirs.Error))
		return true
	}
	if got, want := hostNames(hosts), strings.Join(theirs.Hosts, " "); got != want {
		t.Errorf("%q: %s, Ansible: %s", pattern, got, want)
	}
	for i := range warnings {
		warnings[i] = strings.TrimPrefix(warnings[i], "no host or group matches, ignored: ")
	}
	if err == nil && !slices.Equal(warnings, theirs.Ignored) && len(warnings)+len(theirs.Ignored) > 0 {
		t.Errorf("%q: ignored %q, Ansible: %q", pattern, warnings, theirs.Ignored)
	}
	safe, safeErr := inv.Select(pattern)
	if safeErr == nil && (err != nil || !sameSet(safe, hosts)) {
		t.Errorf("%q: selects %s, Ansible: %s, %v", pattern, hostNames(safe), strings.Join(theirs.Hosts, " "), err)
	}
	return safeErr != nil
}

func deref(s *string) string {
	if s == nil {
		return "no error"
	}
	return *s
}

// TestAnsibleRandom compares hosts, their order and variables with Ansible's, for random
// inventories and patterns.
func TestAnsibleRandom(t *testing.T) {
	a := startAnsible(t)
	r := rand.New(rand.NewPCG(20, 26))
	inventories, patterns := 200, 60
	if testing.Short() {
		inventories = 40
	}
	asked, refused, failed, empty := 0, 0, 0, 0
	for range inventories {
		spec := randomInventory(r)
		inv, err := New(spec)
		if err != nil {
			t.Fatalf("%v\n%s", err, ansibleInventory(spec))
		}
		theirs := a.load(spec)
		if len(theirs.Hosts) != len(inv.Hosts()) {
			t.Fatalf("%d hosts, Ansible: %d\n%s", len(inv.Hosts()), len(theirs.Hosts), ansibleInventory(spec))
		}
		for _, h := range inv.Hosts() {
			their := theirs.Hosts[h.Name]
			if !slices.Equal(h.Groups, their.Groups) {
				t.Errorf("%s is in %q, in Ansible: %q", h.Name, h.Groups, their.Groups)
			}
			if !reflect.DeepEqual(h.Vars, their.Vars) {
				t.Errorf("%s has %v, in Ansible: %v", h.Name, h.Vars, their.Vars)
			}
		}
		for range patterns {
			p := randomPattern(r, spec)
			answer := a.choose(p)
			asked++
			if compareWithAnsible(t, inv, p, answer) {
				refused++
			}
			if answer.Error != nil {
				failed++
			} else if len(answer.Hosts) == 0 {
				empty++
			}
		}
		if t.Failed() {
			t.Fatalf("the inventory was %s", ansibleInventory(spec))
		}
	}
	t.Logf("%d patterns: Ansible refuses %d and selects nothing for %d; Select refuses %d", asked, failed, empty, refused)
	if asked-refused < asked/10 {
		t.Error("too few patterns were accepted for a meaningful comparison")
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func randomInventory(r *rand.Rand) (spec Spec) {
	hostPool := []string{"a", "b", "ab", "h1", "h2", "h3", "pi1", "pi2", "pi3", "a.b", "x-y", "x_y", "10.0.0.1",
		"10.0.0.2", "localhost", "127.0.0.1", "fe", "1a"}
	// at most six: see oracle.py
	groupPool := []string{"g", "ga", "gab", "pi", "al", "allow", "un", "h", "db-1", "db.2", "web", "c", "de", "step_ca"}
	r.Shuffle(len(hostPool), func(i, j int) { hostPool[i], hostPool[j] = hostPool[j], hostPool[i] })
	r.Shuffle(len(groupPool), func(i, j int) { groupPool[i], groupPool[j] = groupPool[j], groupPool[i] })
	vars := func() map[string]any {
		v := map[string]any{}
		for range r.IntN(4) {
			name := fmt.Sprintf("v_%d", r.IntN(4))
			v[name] = float64(r.IntN(1000))
			if r.IntN(3) == 0 {
				v[name] = map[string]any{fmt.Sprint("k", r.IntN(3)): float64(r.IntN(1000))}
			}
		}
		return v
	}
	for _, name := range hostPool[:1+r.IntN(6)] {
		spec.Hosts = append(spec.Hosts, HostSpec{Name: name, Local: false, Vars: vars()})
	}
	names := groupPool[:r.IntN(7)]
	order := r.Perm(len(names)) // children come later in this order, which is not that of the spec
	rank := make([]int, len(names))
	for i, g := range order {
		rank[g] = i
	}
	for i, name := range names {
		g := GroupSpec{Name: name, Vars: vars()}
		if r.IntN(3) == 0 {
			g.Priority = r.IntN(4) - 1
		}
		for _, h := range r.Perm(len(spec.Hosts)) {
			if r.IntN(3) == 0 {
				g.Hosts = append(g.Hosts, spec.Hosts[h].Name)
			}
		}
		for _, c := range r.Perm(len(names)) {
			if rank[c] > rank[i] && r.IntN(3) == 0 {
				g.Children = append(g.Children, names[c])
			}
		}
		spec.Groups = append(spec.Groups, g)
	}
	spec.Vars = vars()
	return spec
}

func randomPattern(r *rand.Rand, spec Spec) string {
	names := []string{"all", "ungrouped", "nosuch", "localhost", "127.0.0.1"}
	for range 6 { // most names are in the inventory
		for _, h := range spec.Hosts {
			names = append(names, h.Name)
		}
		for _, g := range spec.Groups {
			names = append(names, g.Name)
		}
	}
	glob := func(name string) string {
		var b strings.Builder
		for _, c := range name {
			switch r.IntN(6) {
			case 0:
				b.WriteString("*")
			case 1:
				b.WriteString("?")
			case 2:
				b.WriteString(pick(r, []string{"[" + string(c) + "]", "[!" + string(c) + "]", "[a-" + string(c) + "]",
					"[" + string(c) + "-z1]", "[^" + string(c) + "]"}))
			default:
				b.WriteRune(c)
			}
		}
		return b.String()
	}
	term := func() string {
		name := pick(r, names)
		switch r.IntN(12) {
		case 0:
			name = glob(name)
		case 1:
			name = "~" + pick(r, []string{name, name + "$", name[:1], "[" + name + "]+",
				"(" + name + "|" + pick(r, names) + ")", ".*" + name[len(name)-1:], "[a-h]?" + name[1:] + "$",
				"(?i)" + strings.ToUpper(name), "\\w\\d", "("})
		case 2, 3:
			n := func() int { return r.IntN(5) }
			name += pick(r, []string{fmt.Sprintf("[%d]", n()), fmt.Sprintf("[-%d]", n()),
				fmt.Sprintf("[%d:%d]", n(), n()), fmt.Sprintf("[%d:]", n()),
				fmt.Sprintf("[%d-%d]", n(), n()), "[]", "[:1]", "[x]"})
		}
		return pick(r, []string{"", "", "", "", "", "&", "!"}) + name
	}
	terms := make([]string, 1+r.IntN(4))
	for i := range terms {
		terms[i] = term()
	}
	p := strings.Join(terms, pick(r, []string{":", ":", ":", ",", ",", ", ", " "}))
	// a typo; in an expression it could become syntax that only Python has
	if r.IntN(10) == 0 && !strings.Contains(p, "~") {
		i := r.IntN(len(p) + 1)
		p = p[:i] + pick(r, []string{":", ",", "[", "]", "!", "&", "~", " ", "*", "-", ":22", "::", "\u00a0", "\n"}) + p[i:]
	}
	return p
}

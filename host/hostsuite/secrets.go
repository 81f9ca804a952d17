package hostsuite

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// lawOfSecrets: law 6, with secrets in a file, a template, a command and an account.
func lawOfSecrets(t *testing.T, subject Subject) {
	s := subject.open(t)
	const a, b, c, d = "s3cret-in-a-file-Kx81", "s3cret 'in' a \"template\" \\ $x", "s3cret-of-a-command-Jw", "s3cret\nof two lines-Zz\n"
	var shown []string
	show := func(v ...any) { shown = append(shown, fmt.Sprintf("%v|%+v|%#v", v, v, v)) }
	token := map[string]lab.Secret{"TOKEN": lab.NewSecret(c)}
	st := host.State{
		host.File{Path: s.path("secret"), Value: lab.NewSecret(a)},
		host.File{Path: s.path("template"), Mode: 0o600, Template: `x={{secret "b"}} y={{secret "d"}}`,
			Values: map[string]lab.Secret{"b": lab.NewSecret(b), "d": lab.NewSecret(d)}},
		host.Command{Name: "use", Creates: s.path("used"), Values: token,
			Run: "ps -e -o args= >" + ssh.Quote(s.path("used")) + `; printf '%s\n' "$TOKEN" | wc -c`},
		host.Command{Name: "print", Creates: s.path("never"), Values: token,
			Run: `echo "cannot log in with $TOKEN"; exit 3`},
	}
	if s.Dir == "" {
		st = append(st, host.User{Name: "labsecret", Hash: lab.NewSecret("$6$saltsalt$" + strings.Repeat("h", 40))})
	}
	show(st)
	for range 2 {
		p, err := s.m.Plan(t.Context(), s.kinds(st))
		if err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		show(p, string(j), p.Changes())
		r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
			j, err := json.Marshal(e)
			show(e, string(j), err)
		}})
		if err == nil {
			t.Fatal("the command that fails succeeded")
		}
		j, jerr := json.Marshal(r)
		show(err, r, string(j), jerr, lab.Hints(err))
		// the second run changes the secret of a file
		st[0] = host.File{Path: s.path("secret"), Value: lab.NewSecret(a + "2")}
	}
	shown = append(shown, s.sh(t, "cat "+ssh.Quote(s.path("used"))))
	stray := s.sh(t, fmt.Sprintf("find %s -name '.lab-*'", ssh.Quote(strings.TrimSuffix(s.path(""), "/"))))
	if s.Dir == "" {
		stray += s.sh(t, "grep -r -s -l -F -e s3cret /tmp /run /var/tmp /var/log /etc /root 2>/dev/null || :")
	}
	for _, text := range shown {
		for _, secret := range []string{a, b, c, "of two lines-Zz", "$6$saltsalt"} {
			if strings.Contains(text, secret) {
				t.Errorf("law 6: %q is in %.300q", secret, text)
			}
		}
	}
	if stray != "" {
		t.Errorf("law 6: stray files: %q", stray)
	}
	if got := s.sh(t, "cat "+ssh.Quote(s.path("template"))); got != "x="+b+" y="+d {
		t.Errorf("the template is %q", got)
	}
	if mode := s.sh(t, "stat -c %a "+ssh.Quote(s.path("secret"))); mode != "600\n" {
		t.Errorf("a secret has mode %s", mode)
	}
}

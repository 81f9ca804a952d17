package posix_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestCopyLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, []string{
		`echo a>a; echo b>b; chmod 640 a; cp --attributes-only a b; cat b; stat -c %a b; ` +
			`cp --preserve=mode --attributes-only a b; cp --attributes-only a c; stat -c '%a %s' c; touch -d @5 a; ` +
			`chown 3:4 a; cp --attributes-only --preserve=all -- a b; stat -c '%a %u %g %Y %s' b; cat b; ` +
			`cp --attributes-only --preserve=all nosuch b; cp --attributes-only --preserve=all a new; ` +
			`stat -c '%a %u %g %Y %s' new; cp --attributes-only --preserve=ownership,mode a d/x`,
		`cp --preserve=foo a b; echo a >a; ln -s nosuch l; cp -f a l; echo $?; cp --reflink=always a d; echo $?; ` +
			`cp --preserve=context a e; cp --sparse=foo a b; cp --backup=foo a b; cp -b a b; cp -b a b; ` +
			`cp --no-preserve=mode a q; cp -p --no-preserve=mode a r;cp --no-preserve=foo a b; cp --preserve=m a s; ` +
			`echo n | cp -i a b; echo $?; cp -v -b a b; cp --preserve=mode, a b; echo $?; cp --preserve= a b; ` +
			`echo $?; cp --preserve a z; cp --reflink=a a y`,
		`echo a>a; ln a b; mkdir d; cp -a a b d; ls -1 d; cp -d a b d; cp --preserve=links a b d/; cp -p a b d; ` +
			`mkdir e; cp -al a b e; cp -r . ../x 2>/dev/null; mkdir t; echo 1 >t/1; ln t/1 t/2; cp -a t u; ` +
			`cp -r t v; ln -s 1 t/3; ln t/3 t/4; cp -a t w`,
		`echo a>a; echo c>c; mkdir d e; echo b>d/a; cp a d/a e; echo $?; cp -b a d/a e; cat e/a; ` +
			`cp --backup=numbered a d; cp --backup=numbered a d; cp --backup a d; cp -S .bak a d; cp -b -n a d; ` +
			`cp --backup=off a d; VERSION_CONTROL=t cp -b a c; VERSION_CONTROL=bad cp -b a c; echo $?; mv -b c a; ` +
			`mv --backup=t c a; echo $?; echo z >c; mv -v --backup=t c a; mv -S .old d e; mkdir e/d; ls e`,
		`echo a>a; echo b>b; chmod 444 b; cp -s a l1; cp -s a d/l; mkdir d; cp -s a d; echo $?; cp -s $PWD/a d; ` +
			`cp -s a l1; echo $?; cp -sf a l1; cp -l a h; cp -l a h; echo $?; cp -l b h; echo $?; cp -lf b h; ` +
			`cp -l d x; echo $?; cp -rl d y; cp -sl a b; echo $?; ln -s a s; cp -l s s2; cp -lP s s3; ` +
			`cp --remove-destination -v b a; cp -f a a; echo $?; cp --remove-destination a a; echo $?; cp -b a a; ` +
			`echo $?`,
		`echo a>a; ln a b; mv -v a b; ls; echo c >c; ln -s c l; mv c l; echo $?; cat l; echo d>d; ` +
			`echo y | mv -i d l; echo $?; cat l; echo d>d; echo n | mv -i d l; echo $?; mv -i -f d l; echo d>d; ` +
			`mv -n d l; echo $?; mv -n -i d l </dev/null; mv -u d l; mkdir x; mv x/ y; ` +
			`mv --strip-trailing-slashes y/ z; echo f >f; mv f/ g; echo $?; mv f g/; echo $?; mv -t z f; ` +
			`mv -t nosuch f; mv -T z f; ls`,
		`mkdir -p a/b; echo 1 >a/b/f; cp -rv a c; cp -rv a c; cp -rvT a c; cp -Rp a/. e; cp -r a/b/ g; cp -r a/. h/; ` +
			`cp a i; echo $?; mkdir -p s/t; cp -r s s/t; echo $?; cp -r a b c; cp -r nosuch x; cp -rT a f; ` +
			`cp -xr a k; touch a/b/f; cp -ru a c; cp -r --no-preserve=mode a n; chmod 700 a; chmod 2755 a/b; ` +
			`cp -r a o; cp -a a p`,
		`ln -s f l; echo 1 >f; mkdir d; ln -s ../f d/l; ln -s d dl; cp -r d e; cp -rL d g; cp -rH dl h; cp -r dl i; ` +
			`cp -rP dl j; cp -rL dl k; cp dl m; cp -P l n; cp -d l o; cp -a l d/l; cp f dl; cp -a dl d; cp -a f l; ` +
			`cp --remove-destination f l; cp -a l f; cp -r l dl/; ln -s loop loop; cp f loop; echo $?; cp loop q; ` +
			`cp -P loop r`,
		`chmod 777 .; echo s >s; chmod 4755 s; chown 5:6 s; runuser -u nobody -- sh -c 'cp s t; cp -p s u; ` +
			`cp -a s v; stat -c "%a %u" t u v; echo z >z; cp z s; echo $?; chmod 000 z; cp z y; echo $?; ` +
			`cp -f s /nosuch/x; mv s q; cp --attributes-only z k; echo $?'; stat -c '%a %u %g' t u v`,
		`echo a>a; cp a/ b; echo $?; cp a b/; echo $?; cp a b/c; cp '' b; cp a ''; cp a . ; cp a ./; cp . d; ` +
			`cp -r . d; cp -t d a; cp -t a; cp -t d; echo $?; cp -T a b c; cp a a a; cp --parents=x a b; echo $?; ` +
			`cp -Z a zz; mkdir m; cp -n a m; cp -n a m; cp -i a m </dev/null; cp -u a m; cp -vu a m; cp a m a m`,
		`mkdir d; echo a >a; cp -b a d/..; cp --backup a d; cp -f --attributes-only a d/a; ` +
			`chattr +i d/a 2>/dev/null; cp -f a d/a; echo $?; cp --remove-destination a d/a; ` +
			`cp --attributes-only a d/a; mv a d/a; chattr -i d/a`,
	})
}

// TestCopyAttributes takes an access list, attributes and a capability from one file to another, which no other tool of
// a small machine can.
func TestCopyAttributes(t *testing.T) {
	list := kernel.ACL{{Tag: kernel.ACLUserObj, Perm: 6, ID: 0}, {Tag: kernel.ACLUser, Perm: 4, ID: 1},
		{Tag: kernel.ACLGroupObj, Perm: 4, ID: 0}, {Tag: kernel.ACLMask, Perm: 4, ID: 0},
		{Tag: kernel.ACLOther, Perm: 0, ID: 0}}
	m := hosttest.New(t, hosttest.Config{})
	reset := func(t *testing.T) {
		for _, f := range []string{"/t/old", "/t/new"} {
			if err := m.FS().Remove(f); err != nil {
				t.Fatal(err)
			}
			if err := m.FS().WriteFile(f, []byte(f+"\n")); err != nil {
				t.Fatal(err)
			}
		}
		for name, v := range map[string]string{"user.note": "kept", kernel.XattrCapability: "cap",
			kernel.ACLAccess: list.Bytes()} {
			if err := m.FS().SetXattr("/t/old", name, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct{ script, want string }{
		{"cp --attributes-only --preserve=all -- old new", kernel.XattrCapability + " " + kernel.ACLAccess +
			" user.note"},
		{"cp --attributes-only --preserve=mode,ownership,timestamps,xattr old new", kernel.XattrCapability + " " +
			kernel.ACLAccess + " user.note"},
		{"cp -a old new; cp -a old new", kernel.XattrCapability + " " + kernel.ACLAccess + " user.note"},
		{"cp -p old new", kernel.ACLAccess},
		{"cp --preserve=xattr old new", kernel.XattrCapability + " user.note"},
		{"cp old new", ""},
		{"cp old x; mv x new", ""},
		{"mv old new", kernel.XattrCapability + " " + kernel.ACLAccess + " user.note"},
		{"mv old /run; mv /run/old new", kernel.XattrCapability + " " + kernel.ACLAccess + " user.note"},
		{"cp -a old new; echo more >>new", kernel.ACLAccess + " user.note"},
		{"cp -a old new; chown 7 new", kernel.ACLAccess + " user.note"},
		{"cp -a old new; cp -p --attributes-only /etc/passwd new", kernel.XattrCapability + " user.note"},
	} {
		t.Run(c.script, func(t *testing.T) {
			reset(t)
			if out, err := m.Exec("cd /t; { " + c.script + "; } 2>&1"); err != nil || out != "" {
				t.Fatalf("%v: %s", err, out)
			}
			x, err := m.FS().Xattrs("/t/new")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(slices.Sorted(maps.Keys(x)), " "); got != c.want {
				t.Errorf("the copy has %q, want %q", got, c.want)
			}
		})
	}
	t.Run("says", func(t *testing.T) {
		reset(t)
		before := m.FS().Snapshot("/t")
		out, err := m.Exec(`cd /t; stat -c %a old; ls -l old | cut -d' ' -f1; chmod 600 old
stat -c %a old; runuser -u daemon -- cat old; chmod 660 old; runuser -u daemon -- cat old`)
		if err != nil {
			t.Fatal(err)
		}
		if want := "640\n-rw-r-----+\n600\n/t/old\n"; out != want {
			t.Errorf("got %q, want %q", out, want)
		}
		if got := before.Diff(m.FS().Snapshot("/t")); !slices.Equal(got, []string{"~/t/old"}) {
			t.Errorf("a snapshot does not see the access list: %q", got)
		}
	})
	for _, name := range []string{"system.posix_acl_default", "system.foo", "foo"} {
		if err := m.FS().SetXattr("/t", name, "x"); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := m.FS().SetXattr("/t/old", kernel.ACLAccess, "junk"); err == nil {
		t.Error("an access list that is none is taken")
	}
}

package host

import (
	"strings"
	"testing"
)

func TestPackage(t *testing.T) {
	for _, c := range []struct {
		p    Package
		st   PackageState
		want string
	}{
		{Package{}, PackageState{Installed: true, Status: "ii", Version: "1"}, ""},
		{Package{}, PackageState{}, "create: not installed"},
		{Package{}, PackageState{Status: "rc"}, "create: not installed"},
		{Package{}, PackageState{Status: "iF"}, "update: is half installed: iF"},
		{Package{Version: "2"}, PackageState{Installed: true, Status: "ii", Version: "1"}, "update: version is 1, not 2"},
		{Package{Version: "2"}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"},
			"error: change version: refused: it is held at version 1"},
		{Package{Version: "2", Hold: true}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"},
			"update: version is 1, not 2; hold update: not held"},
		{Package{Hold: true}, PackageState{Installed: true, Status: "ii", Version: "1"}, "hold update: not held"},
		{Package{Hold: true}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"}, ""},
		{Package{Absent: true}, PackageState{Installed: true, Status: "ii", Version: "1"}, "delete: is installed, version 1"},
		{Package{Absent: true}, PackageState{Status: "rc"}, ""},
		{Package{Absent: true}, PackageState{Status: "iF"}, "delete: is half installed: iF"},
		{Package{Absent: true}, PackageState{Status: "un"}, ""},
		{Package{Absent: true}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"},
			"error: remove package: refused: it is held at version 1"},
	} {
		c.p.Name = "aa"
		o := blank().with(func(o *Observation) { o.packages["aa"] = c.st })
		if got := strings.Join(causes(t, c.p, o), "; "); got != c.want {
			t.Errorf("%+v %+v: %q, want %q", c.p, c.st, got, c.want)
		}
	}
}

package k3s

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// version is a release of k3s: "v1.34.3+k3s1".
type version struct{ major, minor, patch, build int }

// A release candidate ("-rc1") is not accepted: it is not supported, and nothing says what it can be upgraded to.
var versionPattern = regexp.MustCompile(`^v([0-9]+)\.([0-9]+)\.([0-9]+)\+k3s([0-9]+)$`)

func parseVersion(s string) (v version, ok bool) {
	m := versionPattern.FindStringSubmatch(s)
	if m == nil {
		return v, false
	}
	for i, to := range []*int{&v.major, &v.minor, &v.patch, &v.build} {
		*to, _ = strconv.Atoi(m[i+1])
	}
	return v, true
}

// compare returns a number less than 0 if v is older than the other, 0 if they are the same.
func (v version) compare(o version) int {
	return cmp.Or(cmp.Compare(v.major, o.major), cmp.Compare(v.minor, o.minor), cmp.Compare(v.patch, o.patch),
		cmp.Compare(v.build, o.build))
}

// checkUpgrade returns why a node cannot go from one version to another, and what to do; empty if it can. A minor
// version must not be skipped (docs.k3s.io/upgrades, "Version Skew Policy"), and an older k3s need not be able to read
// what a newer one has written to the datastore.
func checkUpgrade(have, want string) (why, hint string) {
	from, okFrom := parseVersion(have)
	to, okTo := parseVersion(want)
	switch {
	case !okFrom:
		return fmt.Sprintf("it runs %q, which is no release, and it is not known whether %s can follow it", have, want),
			"install a release by hand"
	case !okTo || to.compare(from) == 0:
		return "", ""
	case to.compare(from) < 0:
		return fmt.Sprintf("it runs %s, and %s is older: an older k3s may not be able to read the datastore", have, want),
			"set version to " + have + " or newer; to go back, restore a snapshot that the older one has made"
	case to.major != from.major || to.minor > from.minor+1:
		return fmt.Sprintf("it runs %s, and %s skips a minor version", have, want),
			fmt.Sprintf("upgrade to a v%d.%d release first", from.major, from.minor+1)
	}
	return "", ""
}

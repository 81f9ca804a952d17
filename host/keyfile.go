package host

import (
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// keyFile is a file in which sshd looks for the authorized keys of an account.
type keyFile struct {
	path       string        // as sshd is configured (AuthorizedKeysFile in sshd_config(5))
	real       string        // the same with all links resolved; empty if that contains a newline
	chain      []keyFileStat // the file and the directories above it, up to the root; only what exists
	link       bool          // path itself is a link
	everybody  bool          // sshd reads it for all accounts
	exists     bool
	special    bool // it is not a regular file
	unreadable bool // to the account, as which sshd reads it
	content    []byte
}

// keyFileStat is what sshd examines of a file or a directory.
type keyFileStat struct {
	path     string
	uid, gid int
	mode     Mode
}

// keyAccess is how sshd authorizes the keys of an account, as sh/authorized-keys.sh prints it. Without
// sshd, it is as sshd's defaults are.
type keyAccess struct {
	refused  string              // why sshd does not accept its configuration; empty if it does
	pubkey   bool                // PubkeyAuthentication
	root     string              // PermitRootLogin
	strict   bool                // StrictModes
	lists    map[string][]string // AllowUsers, DenyUsers, AllowGroups and DenyGroups, by their names in lower case
	groups   []string            // of the account
	alone    bool                // nobody but the account is in its primary group; only known if that matters
	home     string              // of the account, with all links resolved; empty if there is no account yet
	homeless bool                // that does not exist
	files    []keyFile
	listed   bool // AuthorizedKeysFile names files
}

// readKeyAccess parses the output of sh/authorized-keys.sh.
func readKeyAccess(out string) keyAccess {
	a := keyAccess{pubkey: true, strict: true, listed: true, lists: map[string][]string{}}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "refused":
			a.refused = value
		case "pubkeyauthentication":
			a.pubkey = value != "no"
		case "permitrootlogin":
			a.root = value
		case "strictmodes":
			a.strict = value != "no"
		case "authorizedkeysfile":
			a.listed = value != "none"
		case "allowusers", "denyusers", "allowgroups", "denygroups":
			a.lists[key] = append(a.lists[key], strings.Fields(value)...)
		case "groups":
			a.groups = strings.Fields(value)
		case "alone":
			a.alone = true
		case "home":
			a.home = value
		case "homeless":
			a.homeless = true
		case "file":
			a.files = append(a.files, keyFile{path: value})
		default:
			if len(a.files) > 0 {
				a.files[len(a.files)-1].read(key, value)
			}
		}
	}
	if !a.listed {
		a.files = nil
	}
	return a
}

// read parses a line about the file.
func (f *keyFile) read(key, value string) {
	switch key {
	case "real":
		f.real = value
	case "link":
		f.link = true
	case "everybody":
		f.everybody = true
	case "special":
		f.exists, f.special = true, true
	case "unreadable":
		f.exists, f.unreadable = true, true
	case "content":
		f.exists = true
		f.content, _ = base64.StdEncoding.DecodeString(value) // what is cut off is too long, and refused
	case "stat":
		if w := strings.SplitN(value, " ", 4); len(w) == 4 {
			f.chain = append(f.chain, keyFileStat{
				path: w[3], uid: int(parseUint(w[1], 10)), gid: int(parseUint(w[2], 10)), mode: Mode(parseUint(w[0], 16) & 0o7777),
			})
		}
	}
}

// expect replaces what was observed of the file by what earlier changes of the plan make of it.
func (f keyFile) expect(o *Observation) keyFile {
	f.chain = slices.Clone(f.chain)
	for i, s := range f.chain {
		if e, ok := o.Expected(s.path); ok {
			f.chain[i] = keyFileStat{s.path, e.Stat.UID, e.Stat.GID, e.Stat.Mode}
		}
	}
	if e, ok := o.Expected(f.real); ok {
		f.exists, f.content = true, e.Content
	}
	return f
}

// changes reports whether a change before this one is about a directory of the file.
func (f keyFile) changes(o *Observation) bool {
	for _, p := range []string{f.path, f.real} {
		for dir := path.Dir(p); dir != "/" && dir != "."; dir = path.Dir(dir) {
			if o.PendingToken(pathToken+dir) != "" {
				return true
			}
		}
	}
	return false
}

// below reports whether the path is inside the directory.
func below(p, dir string) bool {
	return dir != "" && strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// writer returns the account that can write the file safely: root if only root can write to any
// directory above it, otherwise the account if the file's directory belongs to it; "" if neither does.
func (f keyFile) writer(user string, uid int) string {
	dirs := f.chain
	if len(dirs) > 0 && dirs[0].path == f.real {
		dirs = dirs[1:]
	}
	unsafe := func(s keyFileStat) bool { return s.uid != 0 || s.mode&0o022 != 0 }
	switch {
	case len(dirs) == 0:
		return ""
	case !slices.ContainsFunc(dirs, unsafe):
		return "root"
	case dirs[0].uid == uid:
		return user
	}
	return ""
}

// judge returns why sshd would ignore the file because of what could be written by others, as
// StrictModes says: the file itself and the directories above it, up to the home of the account, or to
// the root. What the account can repair by itself is in repair. Debian's sshd accepts what a group can
// write to if nobody but the account is in it.
func (a keyAccess) judge(f keyFile, user string, u UserState) (repair []keyFileStat, err error) {
	if !a.strict {
		return nil, nil
	}
	for _, s := range f.chain {
		if s.uid != 0 && s.uid != u.UID {
			return nil, ignored(f, "chown "+user+" "+ssh.Quote(s.path), "%s belongs to another account", s.path)
		}
		unsafe := s.mode & 0o022
		if a.alone && s.gid == u.GID {
			unsafe &^= 0o020
		}
		switch {
		case unsafe == 0:
		case s.uid == u.UID && below(s.path, a.home):
			repair = append(repair, s)
		default:
			return nil, ignored(f, "chmod go-w "+ssh.Quote(s.path), "%s has mode %s: others can write to it", s.path, s.mode)
		}
		if s.path == a.home {
			break
		}
	}
	return repair, nil
}

// ignored returns the error of a file that sshd would ignore.
func ignored(f keyFile, hint, format string, args ...any) error {
	return keyConflict(hint, "sshd ignores the keys in %s: %s", f.path, fmt.Sprintf(format, args...))
}

// keyConflict returns the error of a key that cannot be authorized as the machine is.
func keyConflict(hint, format string, args ...any) error {
	return &lab.Error{Op: "authorize key", Hint: hint,
		Err: fmt.Errorf("%w: %s", lab.ErrConflict, lab.Printable(fmt.Sprintf(format, args...)))}
}

// refuse returns why a key cannot be authorized however the files are; nil if it can.
func (a keyAccess) refuse(user string) error {
	switch {
	case a.refused != "":
		return keyConflict("repair /etc/ssh/sshd_config, or the file in /etc/ssh/sshd_config.d that is wrong",
			"sshd does not accept its configuration: %s", a.refused)
	case !a.pubkey:
		return keyConflict("set PubkeyAuthentication yes", "sshd accepts no keys of the account (PubkeyAuthentication no)")
	case user == "root" && a.root == "no":
		return keyConflict("set PermitRootLogin prohibit-password, or use another account",
			"sshd does not let the account in (PermitRootLogin no)")
	case a.shutOut(user) != "":
		return keyConflict("change "+a.shutOut(user)+" in sshd's configuration, or use another account",
			"sshd does not let the account in (%s)", a.shutOut(user))
	case !a.listed:
		return keyConflict("set AuthorizedKeysFile .ssh/authorized_keys",
			"sshd reads no keys of the account from files (AuthorizedKeysFile none)")
	}
	return nil
}

// shutOut returns the setting that keeps the account out, from wherever it comes; "" if none does.
func (a keyAccess) shutOut(user string) string {
	listed := func(keyword string, names ...string) bool {
		return slices.ContainsFunc(a.lists[keyword], func(pattern string) bool {
			pattern, host, _ := strings.Cut(pattern, "@")
			// A list of those who are kept out, from some places only, keeps nobody out everywhere.
			return (host == "" || keyword == "allowusers") && slices.ContainsFunc(names, lab.Globs{pattern}.Match)
		})
	}
	switch {
	case listed("denyusers", user):
		return "DenyUsers"
	case len(a.lists["allowusers"]) > 0 && !listed("allowusers", user):
		return "AllowUsers"
	case listed("denygroups", a.groups...):
		return "DenyGroups"
	case len(a.groups) > 0 && len(a.lists["allowgroups"]) > 0 && !listed("allowgroups", a.groups...):
		return "AllowGroups"
	}
	return ""
}

// writable returns why the file cannot be edited, as the account that writer returns; nil if it can.
func (f keyFile) writable(user, home, as string) error {
	quoted, dir := ssh.Quote(f.path), path.Dir(f.path)
	leaves := f.link
	if below(f.path, home) {
		leaves = !below(f.real, home)
	}
	switch {
	case f.real == "":
		return keyConflict("replace the link by a file", "%s is a link to a path with a newline", f.path)
	case leaves:
		return keyConflict("replace the link by a file or a directory of the account's own",
			"%s is a link to %s, where the key might count for others too", f.path, f.real)
	case f.everybody:
		return keyConflict("set AuthorizedKeysFile to a path with %u or %h, or edit the file with a line resource",
			"sshd reads %s for all accounts: the key would not be that of one", f.path)
	case f.special:
		return keyConflict("move it away", "%s is not a regular file", f.path)
	case f.unreadable:
		return keyConflict("chown "+user+" "+quoted+" && chmod u+r "+quoted,
			"the account cannot read %s, and sshd reads it as the account", f.path)
	case len(f.content) > maxContent:
		return keyConflict("shorten it", "%s has more than %d KiB", f.path, maxContent>>10)
	case as == "":
		return keyConflict("chown "+user+" "+ssh.Quote(dir),
			"%s does not belong to the account, which could not write to it", dir)
	}
	return nil
}

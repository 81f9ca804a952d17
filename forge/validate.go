package forge

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// The settings that hints of this package name.
const (
	SettingPlaintext  = "plaintext"                 // that a server without TLS is taken, see [Server].Plaintext
	SettingRemotes    = "remotes"                   // which hosts mirrors may reach, see [Spec].Remotes
	SettingSecrets    = "secrets"                   // where secrets are kept, see [Spec].Key and Sink
	SettingMaxDeletes = reconcile.SettingMaxDeletes // how many objects a plan may remove, see [Spec].MaxDeletes
)

func (s *Spec) stack() string { return cmp.Or(s.Stack, "lab") }

// Resolve returns the spec with the values that it says the places of, as [lab.SecretRef.Resolve] reads them. The spec
// itself stays as it is. The error reports everything that cannot be read.
func (s Spec) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (Spec, error) {
	var ps lab.Problems
	s = s.apart()
	s.places(func(path string, from lab.SecretRef, value *lab.Secret) {
		if from.IsZero() {
			return
		}
		v, err := from.Resolve(env, file)
		if err != nil {
			ps.AddError(path, err)
		}
		*value = v
	})
	return s, ps.Err()
}

// apart returns the spec with all values of places in memory of its own.
func (s Spec) apart() Spec {
	s.Organizations, s.Users = slices.Clone(s.Organizations), slices.Clone(s.Users)
	s.Repositories, s.JobIdentities = slices.Clone(s.Repositories), slices.Clone(s.JobIdentities)
	for n := range s.Organizations {
		s.Organizations[n].Secrets = slices.Clone(s.Organizations[n].Secrets)
	}
	for n := range s.Users {
		s.Users[n].Secrets = slices.Clone(s.Users[n].Secrets)
	}
	for n := range s.Repositories {
		x := &s.Repositories[n]
		x.Secrets, x.PushMirrors, x.Webhooks = slices.Clone(x.Secrets), slices.Clone(x.PushMirrors), slices.Clone(x.Webhooks)
		if x.Mirror != nil {
			mirror := *x.Mirror
			x.Mirror = &mirror
		}
	}
	return s
}

// secrets are all that must not be shown.
func (s *Spec) secrets() (all []lab.Secret) {
	s.places(func(_ string, _ lab.SecretRef, value *lab.Secret) { all = append(all, *value) })
	return append(all, s.Key)
}

// places calls f for every value that is secret, with its path.
func (s *Spec) places(f func(path string, from lab.SecretRef, value *lab.Secret)) {
	secrets := func(under string, all []Secret) {
		for n := range all {
			f(fmt.Sprintf("%s.secrets[%d].from", under, n), all[n].From, &all[n].Value)
		}
	}
	for n := range s.Organizations {
		secrets(fmt.Sprintf("organizations[%d]", n), s.Organizations[n].Secrets)
	}
	for n := range s.Users {
		u, under := &s.Users[n], fmt.Sprintf("users[%d]", n)
		f(under+".password", u.From, &u.Password)
		secrets(under, u.Secrets)
	}
	for n := range s.JobIdentities {
		f(fmt.Sprintf("jobIdentities[%d].password", n), s.JobIdentities[n].From, &s.JobIdentities[n].Password)
	}
	for n := range s.Repositories {
		x, under := &s.Repositories[n], fmt.Sprintf("repositories[%d]", n)
		if x.Mirror != nil {
			f(under+".mirror.password", x.Mirror.From, &x.Mirror.Password)
		}
		for m := range x.PushMirrors {
			f(fmt.Sprintf("%s.pushMirrors[%d].password", under, m), x.PushMirrors[m].From, &x.PushMirrors[m].Password)
		}
		for m := range x.Webhooks {
			w, at := &x.Webhooks[m], fmt.Sprintf("%s.webhooks[%d]", under, m)
			f(at+".secret", w.From, &w.Secret)
			f(at+".privateURL", w.FromURL, &w.PrivateURL)
		}
		secrets(under, x.Secrets)
	}
}

// Validate reports everything that is wrong with the spec by itself.
func (s *Spec) Validate() lab.Problems {
	v := &validation{spec: s, names: map[string]string{}}
	if !word.MatchString(s.stack()) {
		v.bad("stack", s.Stack, "is not a name", "write letters, digits and hyphens")
	}
	if s.MaxDeletes < 0 {
		v.ps.Add("maxDeletes", "%d is negative", s.MaxDeletes)
	}
	for n, host := range s.Remotes {
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || host == "" {
			v.bad(fmt.Sprintf("remotes[%d]", n), host, "is not a host", "write github.com, or a host and a port")
		}
	}
	for n, o := range s.Organizations {
		v.organization(fmt.Sprintf("organizations[%d]", n), o)
	}
	for n, u := range s.Users {
		v.user(fmt.Sprintf("users[%d]", n), u)
	}
	for n, x := range s.Repositories {
		v.repository(fmt.Sprintf("repositories[%d]", n), x)
	}
	for n, r := range s.Runners {
		v.runner(fmt.Sprintf("runners[%d]", n), r)
	}
	for n, i := range s.JobIdentities {
		v.jobIdentity(fmt.Sprintf("jobIdentities[%d]", n), i)
	}
	if v.keyed && len(s.Key.Reveal()) < 32 {
		v.secrets("key", "shorter than 32 bytes, and there are values that the server does not show",
			"make a random one once, and say where it is kept")
	}
	if v.sunk && s.Sink == nil {
		v.secrets("sink", "there is none, and there are applications or tokens, whose values the server shows once",
			"say where secrets are kept")
	}
	return v.ps
}

// validation is what is found while a spec is looked through.
type validation struct {
	spec  *Spec
	ps    lab.Problems
	names map[string]string // what has been named, in small letters, and where
	keyed bool              // fingerprints are needed
	sunk  bool              // a sink is needed
}

func (v *validation) bad(path, text, message, hint string) {
	v.ps = append(v.ps, lab.Problem{Path: path, Text: text, Message: message, Hint: hint})
}

// secrets reports that it was not said where secrets are kept.
func (v *validation) secrets(path, message, hint string) {
	v.ps = append(v.ps, lab.Problem{Path: path, Message: message, Hint: hint, Set: lab.Setting{Name: SettingSecrets}})
}

// unique reports what is named twice: Gitea has one object of a name, in whatever case it is written.
func (v *validation) unique(path, key, text string) {
	key = strings.ToLower(key)
	if first, twice := v.names[key]; twice {
		v.bad(path, text, "is named twice", "see "+first)
		return
	}
	v.names[key] = path
}

var (
	// the names of users and organizations (modules/validation of Gitea)
	userName       = regexp.MustCompile(`^[\da-zA-Z][-.\w]*$`)
	doubled        = regexp.MustCompile(`[-._]{2,}|[-._]$`)
	repositoryName = regexp.MustCompile(`^[-.\w]+$`)
	reservedRepo   = regexp.MustCompile(`(?i)^\.{1,2}$|^-$|\.(git|wiki|rss|atom)$`)
	word           = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]*$`)
	actionsName    = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	publicKey      = regexp.MustCompile(`^(ssh-|ecdsa-sha2-|sk-)[-a-z0-9@.]+ [A-Za-z0-9+/]+=*( .*)?$`)
)

func (v *validation) owner(path, name string) {
	switch {
	case name == "":
		v.bad(path, "", "empty", "")
	case !userName.MatchString(name) || doubled.MatchString(name) || len(name) > 40:
		v.bad(path, name, "is not a name", "write letters and digits, up to 40, with single hyphens, dots and underscores between")
	}
}

func (v *validation) oneOf(path, text string, of ...string) {
	if text != "" && !slices.Contains(of, text) {
		v.bad(path, text, "is none of "+strings.Join(of, ", "), "")
	}
}

func (v *validation) organization(at string, o Organization) {
	v.owner(at+".name", o.Name)
	v.unique(at+".name", "owner "+o.Name, o.Name)
	v.oneOf(at+".visibility", o.Visibility, "public", "limited", "private")
	for n, t := range o.Teams {
		under := fmt.Sprintf("%s.teams[%d]", at, n)
		if !repositoryName.MatchString(t.Name) {
			v.bad(under+".name", t.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
		}
		v.unique(under+".name", "team "+o.Name+"/"+t.Name, t.Name)
		v.oneOf(under+".permission", t.Permission, "read", "write", "admin")
		if t.Permission != "" && len(t.Units) > 0 {
			v.bad(under+".units", "", "given beside a permission", "give one or the other")
		}
		if t.Name == owners && (t.Permission != "" || len(t.Units) > 0 || t.AllRepositories != nil || t.Repositories != nil) {
			v.bad(under, t.Name, "has all permissions on all repositories", "give its members alone")
		}
		if t.AllRepositories != nil && *t.AllRepositories && t.Repositories != nil {
			v.bad(under+".repositories", "", "given beside allRepositories", "give one or the other")
		}
		for unit, permission := range t.Units {
			most, known := units[unit]
			switch {
			case !known:
				v.bad(under+".units", unit, "is not a unit", "nearest: "+cmp.Or(lab.Nearest(unit, slices.Sorted(maps.Keys(units))), "repo.code"))
			case most == "read":
				v.oneOf(under+".units."+unit, permission, "none", "read")
			default:
				v.oneOf(under+".units."+unit, permission, "none", "read", "write")
			}
		}
		if t.Members != nil && t.Name == owners && len(t.Members) == 0 {
			v.bad(under+".members", "", "empty, and an organization keeps one owner at least", "")
		}
	}
	v.actions(at, o.Name, o.Secrets, o.Variables)
}

func (v *validation) user(at string, u User) {
	v.owner(at+".name", u.Name)
	v.unique(at+".name", "owner "+u.Name, u.Name)
	v.oneOf(at+".visibility", u.Visibility, "public", "limited", "private")
	if u.Email != "" && (strings.Count(u.Email, "@") != 1 || strings.ContainsFunc(u.Email, func(r rune) bool { return r <= ' ' })) {
		v.bad(at+".email", u.Email, "is not an address", "")
	}
	v.sshKeys(at+".keys", u.Name, u.Keys)
	v.actions(at, u.Name, u.Secrets, u.Variables)
	v.tokens(at, u.Name, u.Tokens)
	for n, a := range u.Applications {
		under := fmt.Sprintf("%s.applications[%d]", at, n)
		if !word.MatchString(a.Name) {
			v.bad(under+".name", a.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
		}
		v.unique(under+".name", "application "+u.Name+"/"+a.Name, a.Name)
		if len(a.RedirectURIs) == 0 {
			v.bad(under+".redirectURIs", "", "empty", "")
		}
		for m, uri := range a.RedirectURIs {
			if p, err := url.Parse(uri); err != nil || p.Scheme == "" {
				v.bad(fmt.Sprintf("%s.redirectURIs[%d]", under, m), uri, "is not a URI", "")
			}
		}
		v.sunk = v.sunk || !a.Public
	}
}

func (v *validation) sshKeys(at, of string, keys []Key) {
	for n, k := range keys {
		under := fmt.Sprintf("%s[%d]", at, n)
		if !word.MatchString(k.Name) {
			v.bad(under+".name", k.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
		}
		v.unique(under+".name", "key "+of+"/"+k.Name, k.Name)
		if strings.Contains(k.Key, "PRIVATE KEY") {
			v.bad(under+".key", "", "is a private key", "write the public one, of the file that ends in .pub; who has seen this one can use it")
			continue
		}
		if !publicKey.MatchString(strings.TrimSpace(k.Key)) {
			v.bad(under+".key", "", "is not an SSH public key", `write it as in the file that ends in .pub: "ssh-ed25519 AAAA..."`)
			continue
		}
		v.unique(under+".key", "the key "+of+" "+sameKey(k.Key), k.Name)
	}
}

func (v *validation) actions(at, of string, secrets []Secret, variables []Variable) {
	name := func(path, name string) {
		switch {
		case strings.HasPrefix(name, secretRecord) || strings.HasPrefix(name, recordPrefix):
			v.bad(path, name, "is a name that this package uses itself", "")
		case !actionsName.MatchString(name) || name == "CI" || strings.HasPrefix(name, "GITEA_") || strings.HasPrefix(name, "GITHUB_"):
			v.bad(path, name, "is not a name that Actions take",
				"write capitals, digits and underscores; not CI, nor GITEA_ or GITHUB_ at its beginning")
		}
	}
	for n, s := range secrets {
		under := fmt.Sprintf("%s.secrets[%d]", at, n)
		name(under+".name", s.Name)
		v.unique(under+".name", "secret "+of+"/"+s.Name, s.Name)
		switch {
		case s.Value.IsZero():
			v.bad(under, s.Name, "has no value", "say where it is")
		case len(s.Value.Reveal()) > 65536:
			v.bad(under, s.Name, "is longer than 64 KiB", "")
		case !utf8.ValidString(s.Value.Reveal()):
			v.bad(under, s.Name, "is not text in UTF-8, which JSON needs", "encode it in base64")
		}
		v.keyed = true
	}
	for n, w := range variables {
		under := fmt.Sprintf("%s.variables[%d]", at, n)
		name(under+".name", w.Name)
		v.unique(under+".name", "variable "+of+"/"+w.Name, w.Name)
		switch {
		case w.Value == "":
			v.bad(under+".value", "", "empty, which the server does not take", "")
		case strings.ContainsRune(w.Value, '\r'):
			v.bad(under+".value", "", "has a carriage return, which the server removes", "write line feeds alone")
		case len(w.Value) > 65536:
			v.bad(under+".value", "", "is longer than 64 KiB", "")
		case !utf8.ValidString(w.Value) || strings.ContainsRune(w.Value, 0):
			v.bad(under+".value", "", "is not text in UTF-8", "encode it in base64")
		}
	}
}

func (v *validation) repository(at string, x Repository) {
	v.owner(at+".owner", x.Owner)
	if !repositoryName.MatchString(x.Name) || reservedRepo.MatchString(x.Name) || len(x.Name) > 100 {
		v.bad(at+".name", x.Name, "is not the name of a repository", "write letters, digits, hyphens, dots and underscores, up to 100")
	}
	v.unique(at+".name", "repository "+x.key(), x.key())
	for n, topic := range x.Topics {
		if !topicName.MatchString(topic) {
			v.bad(fmt.Sprintf("%s.topics[%d]", at, n), topic, "is not a topic", "write small letters, digits, hyphens and dots, up to 35")
		}
	}
	if len(x.Topics) > 25 {
		v.bad(at+".topics", "", "more than 25", "")
	}
	if x.Merge != nil && x.PullRequests != nil && !*x.PullRequests {
		v.bad(at+".merge", "", "given of a repository without pull requests", "")
	}
	if x.Merge != nil {
		v.oneOf(at+".merge.default", x.Merge.Default, "merge", "rebase", "rebase-merge", "squash", "fast-forward-only")
	}
	if m := x.Mirror; m != nil {
		v.remote(at+".mirror.address", m.Address)
		v.interval(at+".mirror.interval", m.Interval)
		v.login(at+".mirror", m.User, m.Password, m.Address)
		if len(x.PushMirrors) > 0 {
			v.bad(at+".pushMirrors", "", "given of a repository that is a mirror itself", "")
		}
	}
	for n, m := range x.PushMirrors {
		under := fmt.Sprintf("%s.pushMirrors[%d]", at, n)
		v.remote(under+".address", m.Address)
		v.interval(under+".interval", m.Interval)
		v.login(under, m.User, m.Password, m.Address)
		v.unique(under+".address", "push mirror "+x.key()+" "+m.Address, m.Address)
		if m.Interval != "" && duration(m.Interval) == "0s" && !m.OnCommit {
			v.bad(under+".interval", m.Interval, "with this, it is never pushed", "set onCommit, or an interval")
		}
		v.keyed = true
	}
	for name, permission := range x.Collaborators {
		v.owner(at+".collaborators", name)
		if permission == "" {
			v.bad(at+".collaborators."+name, "", "empty", "write read, write or admin")
		}
		v.oneOf(at+".collaborators."+name, permission, "read", "write", "admin")
	}
	v.sshKeys(at+".deployKeys", x.key(), x.DeployKeys)
	v.webhooks(at, x)
	v.protections(at, x)
	v.actions(at, x.key(), x.Secrets, x.Variables)
}

// topicName is what Gitea takes as a topic (models/repo/topic.go).
var topicName = regexp.MustCompile(`^[a-z0-9][-.a-z0-9]{0,34}$`)

// remote reports an address that is not one that a mirror may have.
func (v *validation) remote(path, address string) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		v.bad(path, "", "empty", "")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Path == "":
		v.bad(path, "", "is not the http or https address of a repository", "write https://github.com/OWNER/NAME.git") // it may hold a password
	case u.User != nil:
		v.bad(path, "", "holds a user", "give the user and the password by themselves")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsAny(address, "; "):
		v.bad(path, "", "holds a query, a fragment, a semicolon or a space", "")
	case !slices.ContainsFunc(v.spec.Remotes, func(host string) bool { return strings.EqualFold(host, u.Host) }):
		v.ps = append(v.ps, lab.Problem{Path: path, Text: u.Host, Message: "is a host that mirrors may not reach",
			Hint: "if it is meant, name it among the remotes", Set: lab.Setting{Name: SettingRemotes, Value: u.Host}})
	}
}

func (v *validation) interval(path, text string) {
	if d, err := time.ParseDuration(text); text != "" && (err != nil || d < 0) {
		v.bad(path, text, "is not a duration", `write "8h"`)
	}
}

// login reports a password that would be sent in the open, and a user without one.
func (v *validation) login(path, user string, password lab.Secret, address string) {
	u, err := url.Parse(address)
	local := err == nil && (u.Hostname() == "localhost" || strings.HasPrefix(u.Hostname(), "127."))
	switch {
	case user != "" && password.IsZero():
		v.bad(path+".password", "", "empty, and there is a user", "")
	case !password.IsZero() && err == nil && u.Scheme == "http" && !local:
		v.bad(path+".address", "", "is not encrypted, and a password would be sent to it", "write https")
	}
}

func (v *validation) webhooks(at string, x Repository) {
	addresses := map[string]bool{}
	for n, w := range x.Webhooks {
		under := fmt.Sprintf("%s.webhooks[%d]", at, n)
		if !word.MatchString(w.Name) {
			v.bad(under+".name", w.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
		}
		v.unique(under+".name", "webhook "+x.key()+"/"+w.Name, w.Name)
		u, err := url.Parse(w.address())
		switch {
		case (w.URL == "") == w.PrivateURL.IsZero():
			v.bad(under+".url", "", "want a url or a privateURL", "give one of them")
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			v.bad(under+".url", "", "is not an http or https address", "")
		case w.URL != "" && u.User != nil:
			v.bad(under+".url", "", "holds a user", "make it a privateURL")
		}
		if addresses[w.address()] {
			v.bad(under+".url", "", "two webhooks have this address", "")
		}
		addresses[w.address()] = true
		v.keyed = true
	}
}

func (v *validation) protections(at string, x Repository) {
	if x.Archived != nil && *x.Archived && len(x.Protections) > 0 {
		v.bad(at+".protections", "", "given of an archived repository, which takes none, and no pushes", "leave them out")
	}
	for n, p := range x.Protections {
		under := fmt.Sprintf("%s.protections[%d]", at, n)
		if p.Branch == "" || strings.ContainsAny(p.Branch, ": ~^\\") {
			v.bad(under+".branch", p.Branch, "is not a name or a glob of branches", "")
		}
		v.unique(under+".branch", "protection "+x.protectionKey(p), p.Branch)
		if p.Push && (len(p.Pushers)+len(p.PushTeams) > 0 || p.PushDeployKeys) {
			v.bad(under+".push", "", "given beside those who may push", "give one or the other")
		}
		if p.Approvals < 0 {
			v.ps.Add(under+".approvals", "%d is negative", p.Approvals)
		}
		ofUser := slices.ContainsFunc(v.spec.Users, func(u User) bool { return strings.EqualFold(u.Name, x.Owner) })
		if ofUser && len(p.PushTeams)+len(p.MergeTeams) > 0 {
			v.bad(under, "", "names teams, which a user has none of", "")
		}
	}
}

package pgprov

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

func (s *Spec) diffDatabase(i Instance, seen *observed) ([]op, error) {
	step, name, owner := stepOf(i.Instance), i.Database(), i.OwnerRole()
	id := step + "/database:" + name
	want := []string{"OWNER " + ident(owner)}
	have, ok := seen.databases[name]
	if !ok {
		encoding := cmp.Or(i.Encoding, "UTF8")
		sql := "CREATE DATABASE " + ident(name) + " OWNER " + ident(owner) +
			" TEMPLATE template0 ENCODING " + literal(encoding)
		want = append(want, "ENCODING "+encoding)
		switch {
		case i.ICULocale != "":
			sql += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(i.ICULocale)
			want = append(want, "ICU_LOCALE "+i.ICULocale)
		case i.Locale != "": // a server of another provider would take LOCALE for a locale of that
			sql += " LOCALE_PROVIDER libc"
		}
		if i.Locale != "" {
			sql += " LOCALE " + literal(i.Locale)
			want = append(want, "LOCALE "+i.Locale)
		}
		return create(id, want, sql), nil
	}
	var errs []error
	conflict := func(kind error, hint, format string, args ...any) {
		errs = append(errs, &lab.Error{Op: "plan", Target: step, Path: "database " + name, Hint: hint,
			Err: kindf(kind, format, args...)})
	}
	const recreate = "a database keeps what it was made with: dump it, drop it and restore it, or ask for what it has"
	if i.Encoding != "" && encodingKey(i.Encoding) != encodingKey(have.Encoding) {
		conflict(lab.ErrConflict, recreate, "its encoding is %s, not %s", have.Encoding, i.Encoding)
	}
	locale := localeKey(i.Locale)
	if i.Locale != "" && (locale != localeKey(have.Collate) || locale != localeKey(have.CType)) {
		conflict(lab.ErrConflict, recreate, "its LC_COLLATE is %s and its LC_CTYPE %s, not %s",
			have.Collate, have.CType, i.Locale)
	}
	icuHas, _ := icuKey(have.Locale)
	icuWanted, _ := icuKey(i.ICULocale)
	if i.ICULocale != "" && (have.Provider != "i" || icuHas != icuWanted) {
		conflict(lab.ErrConflict, recreate, "its locale is %s of provider %q, not %s of ICU",
			cmp.Or(have.Locale, have.Collate), have.Provider, i.ICULocale)
	}
	switch {
	case have.ConnectionLimit == -2:
		conflict(lab.ErrBlocked, "DROP DATABASE "+ident(name),
			"somebody's DROP DATABASE was cut off, and it cannot be used any more")
	case !have.AllowConnections:
		conflict(lab.ErrBlocked, "ALTER DATABASE "+ident(name)+" ALLOW_CONNECTIONS true",
			"it was closed to connections, and cannot be looked into")
	case have.Template:
		conflict(lab.ErrConflict, "ALTER DATABASE "+ident(name)+" IS_TEMPLATE false",
			"it is a template: any role with CREATEDB can copy it")
	}
	ops := update(id, "its owner is "+have.Owner, []string{"OWNER " + ident(have.Owner)}, want,
		"ALTER DATABASE "+ident(name)+" OWNER TO "+ident(owner))
	first := cmp.Or(s.others(i, seen), "what "+ident(have.Owner)+" owns in it stays its own")
	ops = seen.disrupt(ops, ident(have.Owner)+" can create nothing in it any more",
		func(o catalog.Session) bool { return o.Database == name && !seen.isSuperuser(o.User) }, first)
	return ops, errors.Join(errs...)
}

// diffConnect compares who may connect to the database.
func (s *Spec) diffConnect(i Instance, seen *observed) []op {
	step, name, owner := stepOf(i.Instance), i.Database(), i.OwnerRole()
	want := wantedGrants{s.editor(): "CONNECT", s.pooler(): "CONNECT"}
	for _, role := range i.Connect {
		want[role] = "CONNECT"
	}
	delete(want, owner)
	grants := onDatabase.defaults(owner, "CONNECT", "TEMPORARY")
	have, ok := seen.databases[name]
	if ok {
		grants = moveTo(owner, have.Owner, withoutDynamic(seen.grants[name], s.dynamicPrefix(), want, have.Owner))
	}
	ops := update(step+"/grants:"+name, "differ", onDatabase.describe(owner, grants), onDatabase.describeWanted(want),
		onDatabase.repair(ident(name), owner, grants, want)...)
	lost := lostGrants(owner, grants, want)
	if !ok || len(lost) == 0 {
		return ops
	}
	stays := func(role string) bool {
		return role == owner || want[role] != "" || strings.HasPrefix(role, s.dynamicPrefix())
	}
	return seen.disrupt(ops, "what was granted to "+strings.Join(lost, ", ")+" is revoked",
		func(o catalog.Session) bool {
			return o.Database == name && !seen.isSuperuser(o.User) &&
				!slices.ContainsFunc(seen.routes(o.User, nil), func(way route) bool { return stays(way.end()) })
		}, "name in connect whoever is to stay")
}

func diffExtensions(i Instance, seen *observed, in *inside) (ops []op, err error) {
	step := stepOf(i.Instance)
	for _, name := range i.Extensions {
		if slices.Contains(in.extensions, name) {
			continue
		}
		available, ok := seen.available[name]
		if !ok {
			err = errors.Join(err, &lab.Error{Op: "plan", Target: step, Path: "extension " + name,
				Hint: "install the package that holds it on the server",
				Err:  kindf(lab.ErrNotFound, "the server has no such extension")})
			continue
		}
		if in.place.Database != "" && !in.place.Public && available.Schema == "" {
			err = errors.Join(err, &lab.Error{Op: "plan", Target: step, Path: "extension " + name,
				Hint: "in " + i.Database() + ": CREATE EXTENSION " + ident(name) +
					" SCHEMA and the schema where the app looks for it",
				Err: kindf(lab.ErrBlocked, "the database has no schema public, where it would be made")})
			continue
		}
		ops = append(ops, create(step+"/extension:"+name, []string{"EXTENSION " + ident(name)},
			"SET LOCAL search_path = public", // where the app looks for what has no schema of its own
			"CREATE EXTENSION IF NOT EXISTS "+ident(name)+" CASCADE",
			"SET LOCAL search_path = pg_catalog, pg_temp")...)
	}
	return ops, err
}

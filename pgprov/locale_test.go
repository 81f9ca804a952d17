package pgprov

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// randomICU makes a name of an ICU locale in one of the many ways to write it.
func randomICU(r *rand.Rand) string {
	pick := func(s string) string { f := strings.Split(s, " "); return f[r.IntN(len(f))] }
	sep := pick("- _")
	name := pick("de fr EN iw ji in mo sr zh und root es haw fil no nb")
	if r.IntN(3) == 0 {
		name += sep + pick("Latn Cyrl HANS")
	}
	if r.IntN(2) == 0 {
		name += sep + pick("DE fr US 419 dd BU")
	}
	if r.IntN(6) == 0 {
		name += sep + pick("POSIX 1996 valencia")
	}
	switch r.IntN(4) {
	case 0:
		name += "@" + pick("collation=phonebook collation=traditional colstrength=primary colnumeric=yes colnumeric=no "+
			"colalternate=shifted colalternate=non-ignorable colbackwards=yes colcasefirst=upper colcasefirst=no "+
			"calendar=gregorian colcaselevel=yes colstrength=quaternary numbers=latn currency=EUR collation=dictionary")
		if r.IntN(2) == 0 {
			name += ";" + pick("colnormalization=yes colreorder=latn colstrength=identical")
		}
	case 1:
		name += "-u"
		for range 1 + r.IntN(3) {
			name += "-" + pick("kn kn-true kn-false ks-level1 co-phonebk KA-SHIFTED kf-upper kc kb-true va-posix nu-latn co-trad")
		}
	}
	return name
}

// TestICULocales compares with the server how it writes the locales that are accepted. Those that it
// writes otherwise are refused, which is better than a database that is made and then in conflict.
func TestICULocales(t *testing.T) {
	for _, major := range []int{16, 17, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			pg := real.Postgres(t, major)
			c, err := pgconn.Connect(t.Context(), pg.DSN("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
			column := "colllocale"
			if major < 17 {
				column = "colliculocale"
			}
			r := rand.New(rand.NewPCG(20260102, uint64(major)))
			known := 0
			names := []string{"fr_FR", "de@collation=phonebook", "en_US_POSIX", "und", "root", "C", "POSIX", "EN", "zh_TW",
				"zh-Hant-TW", "no_NO_NY", "de-1996", "und-u-ks-level1-kn", "und-u-kn-ks-level1", "en@colnumeric=yes", "en-u-kn-true",
				"sr-Latn-RS", "de__PHONEBOOK", "es__TRADITIONAL", "hi__DIRECT", "i-klingon", "art-lojban", "en-GB-oed"}
			for range 400 {
				names = append(names, randomICU(r))
			}
			for n, name := range names {
				key, ok := icuKey(name)
				if !ok {
					continue
				}
				made := fmt.Sprintf("CREATE COLLATION c%d (provider = icu, locale = '%s')", n, name)
				if _, err := c.Exec(t.Context(), made).ReadAll(); err != nil {
					continue // the server refuses it, before anything is made
				}
				rs, err := c.Exec(t.Context(), fmt.Sprintf("SELECT %s FROM pg_collation WHERE collname = 'c%d'", column, n)).ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				known++
				stored := string(rs[0].Rows[0][0])
				if again, ok := icuKey(stored); again != key || !ok {
					t.Errorf("%q is %q, and stored as %q, which is %q, %t", name, key, stored, again, ok)
				}
			}
			if known < 200 {
				t.Errorf("%d locales only are known", known)
			}
		})
	}
}

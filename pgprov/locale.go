package pgprov

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// encodings are those that a server can use (PostgreSQL 18, table 23.3), as [encodingKey] writes
// them, with the aliases in use.
var encodings = strings.Fields(`UTF8 UNICODE SQLASCII LATIN1 LATIN2 LATIN3 LATIN4 LATIN5 LATIN6 LATIN7 LATIN8 LATIN9
LATIN10 ISO88591 ISO885915 ISO88595 ISO88596 ISO88597 ISO88598 KOI8R KOI8U WIN866 WIN874 WIN1250 WIN1251 WIN1252 WIN1253
WIN1254 WIN1255 WIN1256 WIN1257 WIN1258 EUCCN EUCJP EUCJIS2004 EUCKR EUCTW MULEINTERNAL`)

var encodingAliases = map[string]string{"UNICODE": "UTF8", "ISO88591": "LATIN1", "ISO885915": "LATIN9"}

// encodingKey writes an encoding's name so that two names of one encoding are equal: PostgreSQL
// ignores case and punctuation in them.
func encodingKey(name string) string {
	key := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToUpper(name))
	return cmp.Or(encodingAliases[key], key)
}

// localeKey writes a libc locale so that two names of one locale are equal: fr_FR.UTF-8 and
// fr_FR.utf8, and POSIX, which setlocale(3) calls C.
func localeKey(name string) string {
	if name == "POSIX" {
		name = "C"
	}
	language, codeset, _ := strings.Cut(name, ".")
	return language + "." + strings.ReplaceAll(strings.ToLower(codeset), "-", "")
}

// From version 16 on PostgreSQL stores the language tag that ICU makes of a locale's name
// (uloc_toLanguageTag), so that one is stored that nobody wrote: "de@collation=phonebook" as
// "de-u-co-phonebk". The tables are those of ICU's names that are not the tag's own.
var (
	icuLanguages = map[string]string{"": "und", "root": "und", "in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro"}
	icuRegions   = map[string]string{"bu": "mm", "dd": "de", "fx": "fr", "tp": "tl", "yd": "ye", "zr": "cd"}
	icuKeywords  = map[string]string{"calendar": "ca", "collation": "co", "colalternate": "ka", "colbackwards": "kb",
		"colcaselevel": "kc", "colcasefirst": "kf", "colnormalization": "kk", "colnumeric": "kn", "colstrength": "ks",
		"currency": "cu", "numbers": "nu"}
	icuValues = map[string]map[string]string{
		"co": {"dictionary": "dict", "gb2312han": "gb2312", "phonebook": "phonebk", "traditional": "trad"},
		"ka": {"non-ignorable": "noignore"},
		"ks": {"primary": "level1", "secondary": "level2", "tertiary": "level3", "quaternary": "level4",
			"quarternary": "level4", "identical": "identic"},
		"kb": icuBooleans, "kc": icuBooleans, "kf": {"no": "false"}, "kk": icuBooleans, "kn": icuBooleans,
	}
	icuBooleans = map[string]string{"yes": "true", "no": "false"}
)

var (
	icuLanguage = regexp.MustCompile(`^[a-z]{2,3}$`)
	icuScript   = regexp.MustCompile(`^[a-z]{4}$`)
	icuRegion   = regexp.MustCompile(`^([a-z]{2}|[0-9]{3})$`)
	icuVariant  = regexp.MustCompile(`^([a-z0-9]{5,8}|[0-9][a-z0-9]{3})$`)
	icuKey2     = regexp.MustCompile(`^[a-z0-9][a-z]$`)
	icuValue    = regexp.MustCompile(`^[a-z0-9]{3,8}$`)
)

// icuKey writes an ICU locale so that two names of one locale are equal. ok is false of a name of
// which it is not known what a server stores.
func icuKey(name string) (key string, ok bool) {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	base, keywords, _ := strings.Cut(name, "@")
	base, extension, extended := strings.Cut(base, "-u-")
	subtags := strings.Split(base, "-")
	take := func(is *regexp.Regexp) (subtag string) {
		if len(subtags) > 0 && is.MatchString(subtags[0]) {
			subtag, subtags = subtags[0], subtags[1:]
		}
		return subtag
	}
	language := subtags[0]
	if language = cmp.Or(icuLanguages[language], language); !icuLanguage.MatchString(language) {
		return name, false
	}
	tag := []string{language}
	subtags = subtags[1:]
	script, region := take(icuScript), take(icuRegion)
	variant := take(icuVariant)
	if len(subtags) > 0 {
		return name, false
	}
	settings := map[string]string{}
	if variant == "posix" {
		settings["va"], variant = "posix", ""
	}
	for _, part := range []string{script, cmp.Or(icuRegions[region], region), variant} {
		if part != "" {
			tag = append(tag, part)
		}
	}
	if extended && !readExtension(extension, settings) || keywords != "" && !readKeywords(keywords, settings) {
		return name, false
	}
	var keys []string
	for key := range settings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for n, key := range keys {
		if n == 0 {
			tag = append(tag, "u")
		}
		if tag = append(tag, key); settings[key] != "true" {
			tag = append(tag, settings[key])
		}
	}
	return strings.Join(tag, "-"), true
}

// readExtension reads what stands behind "-u-": keys of two characters, each with its value or none.
func readExtension(extension string, settings map[string]string) bool {
	key := ""
	for subtag := range strings.SplitSeq(extension, "-") {
		switch {
		case icuKey2.MatchString(subtag):
			if _, twice := settings[subtag]; twice {
				return false
			}
			key, settings[subtag] = subtag, "true"
		case key != "" && settings[key] == "true" && icuValue.MatchString(subtag):
			settings[key] = cmp.Or(icuValues[key][subtag], subtag)
		default:
			return false
		}
	}
	return true
}

// readKeywords reads what stands behind "@": "collation=phonebook;colstrength=primary".
func readKeywords(keywords string, settings map[string]string) bool {
	for keyword := range strings.SplitSeq(keywords, ";") {
		name, value, ok := strings.Cut(keyword, "=")
		key := icuKeywords[name]
		if !ok || key == "" {
			return false
		}
		if value = cmp.Or(icuValues[key][value], value); !icuValue.MatchString(value) {
			return false
		}
		if _, twice := settings[key]; twice {
			return false
		}
		settings[key] = value
	}
	return true
}

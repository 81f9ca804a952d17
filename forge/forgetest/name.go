package forgetest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// The rules for names are those of modules/validation and models/{user,repo,secret} of Gitea.
var (
	notAlphaDashDot = regexp.MustCompile(`[^\d\w\-.]`)
	userName        = regexp.MustCompile(`^[\da-zA-Z][-.\w]*$`)
	notUserName     = regexp.MustCompile(`[-._]{2,}|[-._]$`)
	topicName       = regexp.MustCompile(`^[a-z0-9][-.a-z0-9]*$`)
	secretName      = regexp.MustCompile(`(?i)^[A-Z_][A-Z0-9_]*$`)
)

// reservedUsers are some of the names that no account may have, and reservedEnds what none may end in.
var (
	reservedUsers = strings.Fields(`. .. .well-known api metrics v2 assets attachments avatar avatars repo-avatars captcha
		login org repo user explore issues pulls milestones notifications ghost gitea-actions`)
	reservedEnds = strings.Fields(`.keys .gpg .rss .atom .png`)
	repoEnds     = strings.Fields(`.wiki .git .rss .atom`)
)

// size refuses a field that is longer than the server takes.
func (c *call) size(field, value string, most int) {
	if len([]rune(value)) > most {
		panic(c.refuse(http.StatusUnprocessableEntity, "[%s]: MaxSize", field))
	}
}

// required refuses a field that is empty.
func (c *call) required(field, value string) {
	if value == "" {
		panic(c.refuse(http.StatusUnprocessableEntity, "[%s]: Required", field))
	}
}

// newAccount refuses a name that no account may have, or that one has.
func (c *call) newAccount(field, name string) {
	c.required(field, name)
	c.size(field, name, 40)
	if !userName.MatchString(name) || notUserName.MatchString(name) {
		panic(c.refuse(http.StatusUnprocessableEntity, "[%s]: invalid username", field))
	}
	if slices.Contains(reservedUsers, strings.ToLower(name)) {
		panic(c.refuse(http.StatusUnprocessableEntity, "name is reserved [name: %s]", name))
	}
	for _, end := range reservedEnds {
		if strings.HasSuffix(strings.ToLower(name), end) {
			panic(c.refuse(http.StatusUnprocessableEntity, "name pattern is not allowed [pattern: *%s]", end))
		}
	}
	if c.state.account(name) != nil {
		panic(c.refuse(http.StatusUnprocessableEntity, "user already exists [name: %s]", name))
	}
}

// repoName refuses a name that no repository may have.
func (c *call) repoName(field, name string) {
	c.required(field, name)
	c.size(field, name, 100)
	if notAlphaDashDot.MatchString(name) {
		panic(c.refuse(http.StatusUnprocessableEntity, "[%s]: AlphaDashDot", field))
	}
	if strings.Trim(name, ".") == "" { // the server does not expect it
		panic(c.refuse(http.StatusInternalServerError,
			"name is invalid [%s]: must be valid alpha or numeric or dash(-_) or dot characters", name))
	}
	if name == "-" {
		panic(c.refuse(http.StatusUnprocessableEntity, "name is reserved [name: %s]", name))
	}
	for _, end := range repoEnds {
		if strings.HasSuffix(strings.ToLower(name), end) {
			panic(c.refuse(http.StatusUnprocessableEntity, "name pattern is not allowed [pattern: *%s]", end))
		}
	}
}

// secretOrVariable refuses a name that neither a secret nor a variable may have, and returns it in capitals.
func (c *call) secretOrVariable() string {
	name := strings.ToUpper(c.req.PathValue("name"))
	if !secretName.MatchString(name) || strings.HasPrefix(name, "GITEA_") || strings.HasPrefix(name, "GITHUB_") || name == "CI" {
		panic(c.refuse(http.StatusBadRequest, "invalid variable or secret name"))
	}
	return name
}

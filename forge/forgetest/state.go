package forgetest

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
)

// state is all that a server has. What has a name is found by it in lower case.
type state struct {
	lastID   int64
	accounts map[string]*account // users and organizations share their names
	moved    map[string]*account // by a former name
	repos    []*repo
	movedTo  map[string]*repo // by a former "owner/name"
	site     actions          // registration tokens of the whole server
	runners  []*runner
}

// account is a user or an organization.
type account struct {
	user     gitea.User
	org      *gitea.Organization // nil: it is a user
	password string
	keys     []*gitea.PublicKey
	tokens   []*gitea.AccessToken
	apps     []*application
	teams    []*team
	actions  actions
}

// team is a team of an organization.
type team struct {
	gitea.Team
	members []*account
	repos   []*repo
}

// repo is a repository.
type repo struct {
	gitea.Repository
	owner         *account
	branches      []string
	topics        []string
	collaborators map[*account]string
	protections   []*gitea.BranchProtection
	keys          []*gitea.DeployKey
	hooks         []*gitea.Hook
	pushMirrors   []*gitea.PushMirrorResponse
	actions       actions
	clonedWith    string // the password or the token that a pull mirror was made with
}

// actions is what a repository, an organization, a user or the server has of Actions.
type actions struct {
	secrets      []*secret
	variables    []*variable
	registration string
}

type secret struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Created     time.Time `json:"created_at"`
	value       string
}

type variable struct {
	OwnerID     int64  `json:"owner_id"`
	RepoID      int64  `json:"repo_id"`
	Name        string `json:"name"`
	Data        string `json:"data"`
	Description string `json:"description"`
}

// runner is a runner of the server (both nil), of an owner or of a repository.
type runner struct {
	gitea.ActionRunner
	owner *account
	repo  *repo
}

// application is an OAuth2 application, with the grants of users.
type application struct {
	ID                         int64     `json:"id"`
	Name                       string    `json:"name"`
	ClientID                   string    `json:"client_id"`
	ClientSecret               string    `json:"client_secret"`
	ConfidentialClient         bool      `json:"confidential_client"`
	SkipSecondaryAuthorization bool      `json:"skip_secondary_authorization"`
	RedirectURIs               []string  `json:"redirect_uris"`
	Created                    time.Time `json:"created"`
	hidden                     string    // the client secret
	grants                     []*grant
}

// grant is what a user has allowed an application.
type grant struct {
	id      int64
	app     *application
	user    *account
	scope   string
	nonce   string
	counter int
}

func newState() state {
	return state{accounts: map[string]*account{}, moved: map[string]*account{}, movedTo: map[string]*repo{}}
}

func (s *state) id() int64 {
	s.lastID++
	return s.lastID
}

// now has whole seconds, as the server's database.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (s *state) addUser(name, email, password string) *account {
	a := &account{password: password, user: gitea.User{ID: s.id(), UserName: name, Email: email, IsActive: true,
		Created: now(), Visibility: gitea.VisibleTypePublic}}
	s.accounts[strings.ToLower(name)] = a
	return a
}

func (s *state) addToken(a *account, name string, scopes []string) *gitea.AccessToken {
	sha := randomHex(sha1.Size)
	t := &gitea.AccessToken{ID: s.id(), Name: name, Token: sha, TokenLastEight: sha[len(sha)-8:], Created: now(), Updated: now()}
	for _, scope := range scopes {
		t.Scopes = append(t.Scopes, gitea.AccessTokenScope(scope))
	}
	a.tokens = append(a.tokens, t)
	return t
}

func (s *state) account(name string) *account { return s.accounts[strings.ToLower(name)] }

func (s *state) repo(owner *account, name string) *repo {
	for _, r := range s.repos {
		if r.owner == owner && strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return nil
}

// all returns the accounts that are users, or organizations, in the order of their names.
func (s *state) all(organizations bool) (found []*account) {
	for _, a := range s.accounts {
		if (a.org != nil) == organizations {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *account) int {
		return strings.Compare(strings.ToLower(a.user.UserName), strings.ToLower(b.user.UserName))
	})
	return found
}

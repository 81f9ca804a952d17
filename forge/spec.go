package forge

import (
	"gitea.arcodange.lab/arcodange-org/lab"
)

// Spec is what a server must have. What it does not name is not touched, but for what Prune removes.
type Spec struct {
	Organizations []Organization `yaml:"organizations"` // empty: none is looked at
	Users         []User         `yaml:"users"`         // empty: none is looked at
	Repositories  []Repository   `yaml:"repositories"`  // empty: none is looked at

	Runners []Runner `yaml:"runners"` // of Actions; empty: none is looked at

	// JobIdentities are accounts by which jobs of Actions prove who sends them; empty: none is looked at.
	JobIdentities []JobIdentity `yaml:"jobIdentities"`

	// Remotes are the hosts that mirrors may pull from and push to, each as "github.com" or "host:port": a mirror
	// that pushes overwrites what is there. Empty means none.
	Remotes []string `yaml:"remotes"`

	// Stack says whose objects these are, as "prod": it is written into what can be marked, and an object with the
	// mark of another stack is a conflict. Empty means "lab".
	Stack string `yaml:"stack"`

	// Prune removes secrets, variables, keys, tokens, webhooks and push mirrors that have our mark, in the scopes that the spec
	// names, and that are not wanted any more. Repositories, organizations, users, teams, branch protections and
	// applications are never removed.
	Prune bool `yaml:"prune"`

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are ours if those
	// are more.
	MaxDeletes int `yaml:"maxDeletes"`

	// Key is what the fingerprints of write-only values are made with: 32 bytes at least, made once and kept, see
	// [lab.Keyring]. It is required where there are such values. With another key, they are all sent again.
	Key lab.Secret `yaml:"-"`

	// Sink is where what the server shows once is kept: the secrets of OAuth2 applications, the values of tokens, the refresh tokens
	// of job identities, and the registration tokens of runners. It is required where there are such. To succeed a token
	// or a refresh token by another, it must be a [lab.Replacer].
	Sink lab.Sink `yaml:"-"`
}

// Organization is an organization, with its teams, and the secrets and variables that all of its repositories have.
type Organization struct {
	Name        string `yaml:"name,required"`
	FullName    string `yaml:"fullName"`    // empty leaves it
	Description string `yaml:"description"` // empty leaves it
	Website     string `yaml:"website"`     // empty leaves it

	// Visibility is public, limited (to those who are logged in) or private. Empty leaves it, and creates a private one.
	Visibility string `yaml:"visibility"`

	Teams     []Team     `yaml:"teams"`
	Secrets   []Secret   `yaml:"secrets"`
	Variables []Variable `yaml:"variables"`
}

// Team is a team of an organization.
type Team struct {
	Name        string `yaml:"name,required"`
	Description string `yaml:"description"` // empty leaves it

	// Permission is read, write or admin, on all units (code, issues, pull requests, wiki, actions, packages...) of the
	// repositories of the team. Empty leaves it; a new team has read.
	Permission string `yaml:"permission"`

	// Units are permissions on single units, none, read or write, instead of Permission: "repo.code: write". Empty
	// means that Permission holds for all.
	Units map[string]string `yaml:"units"`

	AllRepositories    *bool `yaml:"allRepositories"`    // it has all repositories of the organization; nil leaves it
	CreateRepositories *bool `yaml:"createRepositories"` // its members may create some; nil leaves it

	Members      []string `yaml:"members"`      // exactly these; nil leaves them
	Repositories []string `yaml:"repositories"` // exactly these, by their names; nil leaves them
}

// User is a local account.
type User struct {
	Name     string `yaml:"name,required"`
	Email    string `yaml:"email"`    // required to create it; empty leaves it
	FullName string `yaml:"fullName"` // empty leaves it

	// Restricted users see only what they were given. Nil leaves it.
	Restricted *bool `yaml:"restricted"`

	Admin      *bool  `yaml:"admin"`      // a site administrator; nil leaves it
	Login      *bool  `yaml:"login"`      // false: it cannot log in to the pages or the API, by a token neither; nil leaves it
	Visibility string `yaml:"visibility"` // public, limited or private; empty leaves it, and creates a private one

	// Password is set when the user does not log in with it, which is tried. Empty leaves it: a new
	// user then has a random one that nobody knows.
	Password lab.Secret    `yaml:"-"`
	From     lab.SecretRef `yaml:"password"` // where the Password is, see [Spec.Resolve]

	Keys         []Key         `yaml:"keys"` // SSH keys
	Secrets      []Secret      `yaml:"secrets"`
	Variables    []Variable    `yaml:"variables"`
	Applications []Application `yaml:"applications"`
	Tokens       []Token       `yaml:"tokens"`
}

// Key is an SSH public key.
type Key struct {
	Name string `yaml:"name,required"`
	Key  string `yaml:"key,required"` // as in authorized_keys; the comment does not matter

	// Write lets a deploy key push. Of a user's key it is not asked.
	Write bool `yaml:"write"`
}

// Repository is a repository. It is never deleted, renamed or moved, whatever is wanted.
type Repository struct {
	Owner string `yaml:"owner,required"` // an organization or a user
	Name  string `yaml:"name,required"`

	Description   string   `yaml:"description"`   // empty leaves it
	Website       string   `yaml:"website"`       // empty leaves it
	Private       *bool    `yaml:"private"`       // nil leaves it, and creates a private one
	DefaultBranch string   `yaml:"defaultBranch"` // it must exist, unless the repository is empty; empty leaves it
	Archived      *bool    `yaml:"archived"`      // nil leaves it
	Template      *bool    `yaml:"template"`      // nil leaves it
	Topics        []string `yaml:"topics"`        // exactly these; nil leaves them

	Issues       *bool `yaml:"issues"`       // nil leaves it, and so for all units
	PullRequests *bool `yaml:"pullRequests"` //
	Wiki         *bool `yaml:"wiki"`         //
	Projects     *bool `yaml:"projects"`     //
	Releases     *bool `yaml:"releases"`     //
	Packages     *bool `yaml:"packages"`     //
	Actions      *bool `yaml:"actions"`      //

	Merge *Merge `yaml:"merge"` // of pull requests; nil leaves it

	// Mirror makes it a pull mirror when it is created. A repository that is not a mirror never becomes one.
	Mirror *PullMirror `yaml:"mirror"`

	PushMirrors []PushMirror `yaml:"pushMirrors"`

	// Collaborators are exactly these users, each with read, write or admin; nil leaves them.
	Collaborators map[string]string `yaml:"collaborators"`

	Protections []Protection `yaml:"protections"` // of branches
	DeployKeys  []Key        `yaml:"deployKeys"`
	Webhooks    []Webhook    `yaml:"webhooks"`
	Secrets     []Secret     `yaml:"secrets"`
	Variables   []Variable   `yaml:"variables"`
}

// Merge says how pull requests may be merged.
type Merge struct {
	MergeCommit *bool `yaml:"mergeCommit"` // nil leaves it, and so for all
	Rebase      *bool `yaml:"rebase"`
	RebaseMerge *bool `yaml:"rebaseMerge"` // rebased, and a merge commit
	Squash      *bool `yaml:"squash"`
	FastForward *bool `yaml:"fastForward"`

	Default      string `yaml:"default"`      // merge, rebase, rebase-merge, squash or fast-forward-only; empty leaves it
	DeleteBranch *bool  `yaml:"deleteBranch"` // after the merge, by default; nil leaves it
}

// PullMirror is where a mirror comes from.
type PullMirror struct {
	// Address is an http or https address, without a user; its host must be one of [Spec.Remotes]. It cannot be
	// changed here: a repository is never replaced.
	Address string `yaml:"address,required"`

	Interval string `yaml:"interval"` // "8h"; the server has a least one, 10m by default; empty leaves it

	// User and Password, or a token as the Password alone, are used when the mirror is created. The server neither shows
	// nor changes them later: change them in the settings of the repository.
	User     string        `yaml:"user"`
	Password lab.Secret    `yaml:"-"`
	From     lab.SecretRef `yaml:"password"` // where the Password is, see [Spec.Resolve]
}

// PushMirror is where a repository is pushed to, with force: what is there is overwritten. As the server cannot update
// one, it is recreated when anything of it differs.
type PushMirror struct {
	Address  string `yaml:"address,required"` // http or https, without a user; its host must be one of [Spec.Remotes]
	Interval string `yaml:"interval"`         // "8h"; "0s" means only on commits; empty means 8h
	OnCommit bool   `yaml:"onCommit"`         // it is pushed after each push

	User     string        `yaml:"user"`
	Password lab.Secret    `yaml:"-"`
	From     lab.SecretRef `yaml:"password"` // where the Password is, see [Spec.Resolve]
}

// Protection is a rule about branches. What is not said is off: nobody may push by default.
type Protection struct {
	Branch string `yaml:"branch,required"` // a name or a glob: "main", "release/*"

	Push           bool     `yaml:"push"`           // whoever may write may push
	Pushers        []string `yaml:"pushers"`        // these users may push
	PushTeams      []string `yaml:"pushTeams"`      // and these teams
	PushDeployKeys bool     `yaml:"pushDeployKeys"` // and deploy keys that may write

	Mergers    []string `yaml:"mergers"` // only these users may merge; empty, as are the teams: whoever may write
	MergeTeams []string `yaml:"mergeTeams"`

	Approvals    int      `yaml:"approvals"`    // that a pull request needs; 0: none
	StatusChecks []string `yaml:"statusChecks"` // globs of those that must have succeeded; empty: none

	BlockOnRejected bool   `yaml:"blockOnRejected"` // a review that rejects forbids the merge
	BlockOnOutdated bool   `yaml:"blockOnOutdated"` // a branch that lags behind forbids the merge
	DismissStale    bool   `yaml:"dismissStale"`    // approvals end with the next push
	SignedCommits   bool   `yaml:"signedCommits"`   // others are rejected
	AdminsToo       bool   `yaml:"adminsToo"`       // administrators cannot merge in spite of the rule
	ProtectedFiles  string `yaml:"protectedFiles"`  // globs of files that nobody may push, with semicolons between; empty: none
}

// Webhook is called by the server when something happens in a repository.
type Webhook struct {
	Name string `yaml:"name,required"` // by which it is known here

	// URL is what is called. It is shown in plans: one that contains a token is a PrivateURL.
	URL        string        `yaml:"url"`
	PrivateURL lab.Secret    `yaml:"-"`
	FromURL    lab.SecretRef `yaml:"privateURL"` // where the PrivateURL is, see [Spec.Resolve]

	Type   string   `yaml:"type"`   // gitea, slack, discord, ...; empty means gitea
	Events []string `yaml:"events"` // "push", "pull_request", ...; empty means push
	Branch string   `yaml:"branch"` // a glob of branches; empty means all
	Form   bool     `yaml:"form"`   // it is sent as a form, not as JSON

	Inactive bool `yaml:"inactive"` // it is not called

	// Secret signs what is sent. The server cannot change it: a webhook whose secret differs is recreated. Empty means
	// that nothing is signed.
	Secret lab.Secret    `yaml:"-"`
	From   lab.SecretRef `yaml:"secret"` // where the Secret is, see [Spec.Resolve]
}

// Secret is a secret of Actions. The server never shows it.
type Secret struct {
	Name  string        `yaml:"name,required"` // in capitals: "CF_TOKEN"
	Value lab.Secret    `yaml:"-"`             // up to 64 KiB; it is required
	From  lab.SecretRef `yaml:"from"`          // where the Value is, see [Spec.Resolve]
}

// Variable is a variable of Actions, which is no secret.
type Variable struct {
	Name  string `yaml:"name,required"`  // in capitals: "APP_NAME"
	Value string `yaml:"value,required"` // not empty, and without space at its ends
}

// Application is an OAuth2 application of a user, who must be its only owner of that name.
type Application struct {
	Name         string   `yaml:"name,required"`
	RedirectURIs []string `yaml:"redirectURIs,required"`
	Public       bool     `yaml:"public"`    // a client that keeps no secret, as a program on a desktop
	SkipGrant    bool     `yaml:"skipGrant"` // the user is not asked for consent
}

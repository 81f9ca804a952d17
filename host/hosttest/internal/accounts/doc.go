// Package accounts is the programs that manage and look up the users and groups of a fake machine (passwd, adduser's
// tools, getent, id), and sudo with its sudoers.
package accounts

// Package standard holds the workflows that are installed whatever other packages are.
package standard

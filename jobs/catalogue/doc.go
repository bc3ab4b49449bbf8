// Package catalogue knows all 46 technical workflows: their facts, and the function of each that this version
// has. It is the only package that imports the packages of the workflows.
package catalogue

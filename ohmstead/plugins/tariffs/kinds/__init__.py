"""The kinds of components that come with Ohmstead, each in its own module."""

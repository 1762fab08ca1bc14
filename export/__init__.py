"""The exporters: an artifact in the forms that other people's tools read.

`spikeport.export` is this package and a public function at once; spikeport/__init__.py makes it
callable.
"""

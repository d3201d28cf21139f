"""Benchmarks. They measure and print; they never fail because of what they measured."""

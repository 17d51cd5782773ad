"""Packages are those of LAUNCH_TEST_PACKAGES: name=share folder, separated by commas."""

import os

PACKAGES = dict(entry.split('=') for entry in os.environ['LAUNCH_TEST_PACKAGES'].split(','))


class PackageNotFoundError(KeyError):
    pass


def get_package_share_directory(package):
    if package not in PACKAGES:
        raise PackageNotFoundError(package)
    return PACKAGES[package]


def get_package_prefix(package):
    return get_package_share_directory(package)

from glob import glob

from setuptools import setup

package_name = 'emotion_bringup'

setup(
    name=package_name,
    version='0.1.0',
    packages=[package_name],
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
        ('share/' + package_name + '/launch', sorted(glob('launch/*.launch.py'))),
        ('share/' + package_name + '/config', sorted(glob('config/*'))),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='emotion_ros maintainers',
    maintainer_email='maintainers@emotion-ros.org',
    description='Starts the graphs of emotion_ros: launch files, configuration, DDS profile, the emotion command.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={'console_scripts': ['emotion = emotion_bringup.cli:main']},
)

from setuptools import find_packages, setup

package_name = 'emotion_speech'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={package_name: ['models/*/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,  # the model is read as a file
    maintainer='emotion_ros maintainers',
    maintainer_email='maintainers@emotion-ros.org',
    description='Speech to emotions: audio formats, voice activity, quality, classifier, and the SER node.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={'console_scripts': ['speech = emotion_speech.node:main']},
)
